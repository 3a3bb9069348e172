"""The inspector: pages for developers, which show objects, requests and deliveries, and control the emulator.

``site`` holds the routes, ``views`` the values of each page, ``actions`` what the buttons do. Below them are ``kinds``
(the kinds of objects), ``listing`` (lists and their queries), ``timeline`` (what happened to an object), ``fields``
(forms), and ``formats`` (how values are shown). The templates and the style sheet are beside those of the hosted pages.
"""
