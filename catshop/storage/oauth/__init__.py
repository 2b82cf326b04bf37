"""Storage of the OAuth plane: one repository a port, all on one `Database`.

Nothing here decides; the ports say what must hold, and the plane above hands its decisions in. The
SQL is the part that every engine reads. Next: `grants.py`, where the races are.
"""

from __future__ import annotations

from catshop.limits import OAuthLimits
from catshop.oauth.ports import Stores
from catshop.storage.database import Database
from catshop.storage.oauth.attempts import Attempts
from catshop.storage.oauth.clients import Clients
from catshop.storage.oauth.consents import Consents
from catshop.storage.oauth.devices import Devices
from catshop.storage.oauth.grants import Grants
from catshop.storage.oauth.keys import Keys
from catshop.storage.oauth.links import Links
from catshop.storage.oauth.proofs import Proofs
from catshop.storage.oauth.requests import Requests
from catshop.storage.oauth.sessions import Sessions
from catshop.storage.oauth.upkeep import Upkeep
from catshop.storage.oauth.upstreams import Upstreams
from catshop.storage.oauth.users import Users


def stores(database: Database, limits: OAuthLimits | None = None) -> Stores:
    """Every port of the OAuth plane on `database`; `limits` say how long things are remembered."""
    return Stores(
        users=Users(database),
        clients=Clients(database),
        registrations=Clients(database),
        requests=Requests(database),
        sessions=Sessions(database),
        consents=Consents(database),
        grants=Grants(database),
        devices=Devices(database),
        attempts=Attempts(database),
        proofs=Proofs(database),
        links=Links(database),
        keys=Keys(database),
        upkeep=Upkeep(database, limits or OAuthLimits()),
        upstreams=Upstreams(database),
    )
