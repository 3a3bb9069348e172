from django.http import Http404, HttpRequest, JsonResponse

from truemed_async import Truemed
from truemed_async.errors import InvalidArgumentError, NotFoundError

truemed = Truemed(timeout=20)  # reads TRUEMED_API_KEY; nothing is opened yet


def status(request: HttpRequest, session_id: str) -> JsonResponse:
    try:
        session = truemed.qualification_sessions.get(session_id)
    except (InvalidArgumentError, NotFoundError):
        raise Http404 from None
    return JsonResponse({"status": session.status})
