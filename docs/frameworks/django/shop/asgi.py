import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django = get_asgi_application()


async def application(scope, receive, send):
    if scope["type"] != "lifespan":
        return await django(scope, receive, send)
    from shop.async_views import truemed  # after Django is set up

    await receive()  # the server starts
    await send({"type": "lifespan.startup.complete"})
    await receive()  # it has answered its last request
    await truemed.aclose()
    await send({"type": "lifespan.shutdown.complete"})
