# %% sync
from truemed_async import Truemed

truemed = Truemed()  # reads TRUEMED_API_KEY
truemed.qualification_sessions.get("qs_abc123").status

# %% async
from truemed_async import AsyncTruemed

async_truemed = AsyncTruemed()
session = await async_truemed.qualification_sessions.get("qs_abc123")
session.status

# %% many
ids = [each.qualification_session_id for each in truemed.qualification_sessions.iter(status="approved")]
sessions = [outcome.value async for outcome in async_truemed.qualification_sessions.get_many(ids) if outcome.ok]
len(sessions)

# %% close
await async_truemed.aclose()
truemed.close()
