"""The inspector: pages for developers, which show requests, deliveries and rows, and control the emulator.

``site`` holds the routes and the actions of buttons, ``panels`` the values that are shown.
"""
