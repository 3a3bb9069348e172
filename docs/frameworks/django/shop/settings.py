"""What the examples need of Django's settings; a project has more."""

SECRET_KEY = "only the examples use it"
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
ROOT_URLCONF = "shop.urls"
