"""The tasks of the page, with a directory as broker; optionally the client is used before the fork."""

import os

from tasks import app, truemed

folder = os.environ["BROKER"]
app.conf.broker_url = "filesystem://"
app.conf.broker_transport_options = {
    "data_folder_in": folder,
    "data_folder_out": folder,
    "control_folder": f"{folder}/control",
    "polling_interval": 0.1,
}
if "CALL_FIRST" in os.environ:
    assert len(truemed.qualification_sessions.list(page_size=1)) == 1
