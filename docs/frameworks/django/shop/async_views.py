from django.http import Http404, HttpRequest, JsonResponse

from truemed_async import AsyncTruemed
from truemed_async.errors import InvalidArgumentError, NotFoundError

truemed = AsyncTruemed(timeout=20)  # belongs to the server's event loop from its first call on


async def status(request: HttpRequest, session_id: str) -> JsonResponse:
    try:
        session = await truemed.qualification_sessions.get(session_id)
    except (InvalidArgumentError, NotFoundError):
        raise Http404 from None
    return JsonResponse({"status": session.status})
