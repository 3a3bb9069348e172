"""The pages that Truemed hosts: health survey, review, card, and the way back to the shop.

``site`` holds the routes, ``checkout``, ``payment_method`` and ``qualify`` the handlers, ``page`` renders their results.
"""
