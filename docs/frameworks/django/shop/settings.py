"""What the examples need of Django's settings; a project has more."""

import os

SECRET_KEY = "only the examples use it"
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["shop", "truemed_async.webhooks.django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SHOP_DATABASE", "shop.db")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# The clients read TRUEMED_API_KEY and TRUEMED_ENVIRONMENT themselves. An environment that lacks the secret does not start.
TRUEMED_WEBHOOK_SECRET = os.environ["TRUEMED_WEBHOOK_SECRET"]
