from django.urls import path

from shop import async_views, views

urlpatterns = [
    path("status/<slug:session_id>", views.status),
    path("async/status/<slug:session_id>", async_views.status),
]
