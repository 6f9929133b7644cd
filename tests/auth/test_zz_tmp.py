import uuid, asyncio
import schemathesis, pytest
from hypothesis import settings as hs, HealthCheck, Phase
from commerce.app import create_app
from commerce.auth import tokens
from tests.support import Shop, clock
from commerce.auth.permissions import grants
from commerce.kernel.actor import Actor
from litestar.testing import TestClient

async def test_fuzz(shop, settings):
    staff = (await shop.staff("admin")).token
    client = (await shop.client()).token
    shopper = (await shop.shopper(known=True)).token
    def run():
        app = create_app(settings, clock=clock)
        with TestClient(app, raise_server_exceptions=False) as tc:
            schema = schemathesis.openapi.from_dict(app.openapi_schema.to_schema())
            bad = {}
            for result in schema.get_all_operations():
                op = result.ok()
                @hs(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
                @__import__("hypothesis").given(case=op.as_strategy())
                def t(case):
                    for tok in (staff, client, shopper):
                        h = dict(case.headers or {})
                        h["Authorization"] = "Bearer " + tok
                        h["Idempotency-Key"] = str(uuid.uuid4())
                        case.headers = h
                        kw = case.as_transport_kwargs(base_url="http://testserver.local")
                        kw.pop("cookies", None)
                        r = tc.request(**kw)
                        if r.status_code >= 500:
                            bad.setdefault(op.label, (r.text, kw))
                        elif r.status_code != 405:
                            try: 
                                if str(r.status_code) not in op.definition.raw["responses"]: bad.setdefault(op.label + str(r.status_code), (r.text, kw))
                            except Exception as e: bad.setdefault(op.label, repr(e))
                t()
            return bad
    bad = await asyncio.to_thread(run)
    for k, v in bad.items(): print(k, v)
    assert not bad
