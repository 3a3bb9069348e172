from django.urls import path

from shop import async_views, views, webhooks

urlpatterns = [
    path("orders/<slug:number>/checkout", views.checkout),
    path("thanks", views.thanks, name="thanks"),
    path("status/<slug:session_id>", views.status),
    path("async/status/<slug:session_id>", async_views.status),
    path("webhooks/truemed", webhooks.truemed_webhooks),
]
