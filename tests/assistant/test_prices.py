"""Live prices, asked of a server on this machine that speaks the providers' JSON."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from assistant.prices import ENDPOINTS, Prices
from estimator import offers
from trainer.errors import ComputeError

ANSWERS = {
    "/runpod": {
        "data": {
            "gpuTypes": [
                {
                    "id": "NVIDIA GeForce RTX 4090", "displayName": "RTX 4090", "memoryInGb": 24, "securePrice": 0.69,
                    "communityPrice": 0.34, "secureSpotPrice": None, "communitySpotPrice": 0.2,
                    "lowestPrice": {"stockStatus": "High"},
                },
                {
                    "id": "NVIDIA A100 80GB PCIe", "displayName": "A100 PCIe", "memoryInGb": 80, "securePrice": 1.64,
                    "communityPrice": 0, "secureSpotPrice": None, "communitySpotPrice": None,
                    "lowestPrice": {"stockStatus": None},
                },
                {"id": "x", "displayName": "Mystery 9", "memoryInGb": 1, "securePrice": 1.0, "lowestPrice": None},
            ]
        }
    },
    "/lambda": {
        "data": {
            "gpu_8x_h100_sxm5": {
                "instance_type": {
                    "name": "gpu_8x_h100_sxm5", "description": "8x H100 (80 GB SXM5)", "price_cents_per_hour": 3192,
                    "specs": {"vcpus": 208, "memory_gib": 1800, "storage_gib": 24780, "gpus": 8},
                },
                "regions_with_capacity_available": [],
            },
            "gpu_1x_a10": {
                "instance_type": {
                    "name": "gpu_1x_a10", "description": "1x A10 (24 GB PCIe)", "price_cents_per_hour": 129,
                    "specs": {"vcpus": 30, "memory_gib": 200, "storage_gib": 1400, "gpus": 1},
                },
                "regions_with_capacity_available": [{"name": "us-west-1", "description": "California"}],
            },
        }
    },
    "/vast": {
        "offers": [
            {"gpu_name": "RTX 4090", "gpu_ram": 24564, "num_gpus": 1, "dph_total": price} for price in (0.3, 0.4, 0.5, 9.0)
        ]
    },
    "/hf-jobs": [
        {"name": "cpu-basic", "prettyName": "CPU", "cpu": "2 vCPU", "ram": "16 GB", "accelerator": None,
         "unitCostMicroUSD": 167, "unitCostUSD": 0.000167, "unitLabel": "minute"},
        {"name": "a100-large", "prettyName": "A100", "cpu": "12 vCPU", "ram": "142 GB",
         "accelerator": {"type": "gpu", "model": "A100", "quantity": "1", "vram": "80 GB", "manufacturer": "Nvidia"},
         "unitCostMicroUSD": 41667, "unitCostUSD": 0.041667, "unitLabel": "minute"},
    ],
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        Handler.seen.append((self.path, self.headers.get("Authorization", ""), body))
        known = ANSWERS.get(self.path)
        text = b"<html>down</html>" if self.path == "/broken" else json.dumps(known).encode()
        self.send_response(200 if known is not None or self.path == "/broken" else 503)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *args: object) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def prices(server: str) -> Prices:
    return Prices({name: f"{server}/{name}" for name in ENDPOINTS}, key=lambda: "secret-key")


def test_runpod_tiers_spot_and_stock(prices: Prices) -> None:
    found = prices.fetch("runpod")
    assert [(o.gpu, o.tier, o.spot, o.usd_per_hour, o.available) for o in found] == [
        ("RTX 4090", "community", True, 0.2, True),
        ("RTX 4090", "community", False, 0.34, True),
        ("RTX 4090", "secure", False, 0.69, True),
        ("A100 80GB PCIe", "secure", False, 1.64, False),
    ]
    assert all(o.live and o.age() == "read today" for o in found)


def test_lambda_instances_in_cents_and_the_key_stays_in_the_header(prices: Prices) -> None:
    found = prices.fetch("lambda")
    assert [(o.gpu, o.num_gpus, o.usd_per_hour, o.available) for o in found] == [
        ("A10", 1, 1.29, True),
        ("H100 SXM", 8, 31.92, False),
    ]
    path, key, _ = Handler.seen[-1]
    assert (path, key) == ("/lambda", "Bearer secret-key")


def test_vast_is_the_median_of_the_cheapest(prices: Prices) -> None:
    (offer,) = prices.fetch("vast")
    assert (offer.gpu, offer.usd_per_hour) == ("RTX 4090", 0.45)
    assert json.loads(Handler.seen[-1][2])["verified"] == {"eq": True}


def test_hugging_face_jobs_bill_by_the_minute(prices: Prices) -> None:
    (offer,) = prices.fetch("hf-jobs")
    assert (offer.gpu, offer.tier, offer.num_gpus) == ("A100 80GB", "a100-large", 1)
    assert offer.usd_per_hour == pytest.approx(2.5, abs=1e-3)
    assert Handler.seen[-1][1] == ""


def test_live_prices_replace_the_built_in_ones(prices: Prices) -> None:
    live = prices.fetch("runpod")
    mixed = offers("RTX 4090", live=live)
    assert [o for o in mixed if o.provider == "runpod"] == [o for o in live if o.gpu == "RTX 4090"]
    assert any(o.provider == "vast" and not o.live for o in mixed)


@pytest.mark.parametrize("path", ["missing", "broken", "hf-jobs"])
def test_a_bad_answer_is_an_error_a_person_understands(server: str, path: str) -> None:
    with pytest.raises(ComputeError, match="no prices right now"):
        Prices({"runpod": f"{server}/{path}"}).fetch("runpod")


def test_nobody_there_and_nobody_known() -> None:
    with pytest.raises(ComputeError, match="no prices right now"):
        Prices({"vast": "http://127.0.0.1:9/"}).fetch("vast")
    with pytest.raises(ComputeError, match="no price list"):
        Prices().fetch("aws")
