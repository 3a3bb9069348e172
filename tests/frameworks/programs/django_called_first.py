"""The WSGI application of the page, but its client is used before any worker is forked: the loop thread runs."""

from shop.views import truemed
from shop.wsgi import application

assert application
assert len(truemed.qualification_sessions.list(page_size=1)) == 1
