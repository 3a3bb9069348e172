"""The router: the first group that owns a path is chosen, whichever group has a route for it."""

from aiohttp import web

from truemed_async.emulator.request import ApiError
from truemed_async.emulator.routing import Group, Route, Router


def group(*paths, prefixes=("",)):
    routes = [Route(name=path, method="GET", path=path) for path in paths]
    return Group(routes, lambda route, context, request: web.Response(), prefixes=prefixes)


def test_the_first_group_that_owns_a_path_is_chosen():
    hosted = group("/logo", prefixes=("/hosted/",))
    admin = group("/admin", prefixes=("/admin/",))
    rest = group("/hosted/x", "/logo", "/list")
    router = Router(hosted, admin, rest)
    chosen = {path: router.group(path) for path in ("/logo", "/hosted/x", "/admin", "/admin/y", "/list", "/nothing")}
    assert chosen == {
        "/logo": hosted,
        "/hosted/x": hosted,
        "/admin": admin,
        "/admin/y": admin,
        "/list": rest,
        "/nothing": rest,
    }


def test_a_template_belongs_to_its_group():
    pages, rest = group("/pages/{id}", prefixes=("/assets/",)), group("/pages/{id}/more")
    router = Router(pages, rest)
    assert router.group("/pages/a%20b") is pages
    assert pages.match("GET", "/pages/a%20b").params == {"id": "a b"}
    assert router.group("/pages/a/more") is rest
    missing = router.group("/pages/a/less").match("GET", "/pages/a/less")
    assert isinstance(missing.error, ApiError)
    assert missing.error.status == 404
