"""The examples at the end of each command's help. They run against a plain ``truemed emulator``.

Each command has at least one; those with a file use one that the documentation describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_INDENT: Final = " " * 8

PAYMENT: Final = "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11"
PENDING_PAYMENT: Final = "2f9c8d10-4b7e-4c53-a1de-9b0c6d7e8f12"
HELD_PAYMENT: Final = "7c1e4b60-2d95-4a3b-8b1c-5e6f70819203"

EXAMPLES: Mapping[str, str] = {
    "": """
        truemed --env emulator sessions list
        truemed payments list --status captured
        truemed sessions export --help
    """,
    "sessions list": """
        truemed sessions list --status approved --page-size 5
        truemed sessions list --search example.com --format csv
        truemed sessions list --limit 100 --json id,status
        truemed sessions list --all --output sessions.csv
    """,
    "sessions get": """
        truemed sessions get qs_abc123 qs_def456
        truemed sessions get qs_abc123 --json id,status,expires_at
    """,
    "sessions link": """
        truemed sessions link qs_abc123 --qualification-id tm_qual_abc123
    """,
    "sessions export": """
        truemed sessions export --output sessions.csv
        truemed sessions export --status approved --month 2026-10 --output approved.jsonl
    """,
    "sessions summary": """
        truemed sessions summary
        truemed sessions summary --month 2026-10 --format csv
        truemed sessions summary --output summary.svg
    """,
    "sessions update": """
        truemed sessions update qs_abc123 --user-id user-42 --metadata '{"order": 1001}'
    """,
    "sessions find-valid": """
        truemed sessions find-valid --user-id customer-2
    """,
    "sessions expiring": """
        truemed sessions expiring --within 30d
        truemed sessions expiring --within 30d --output expiring.svg --theme dark
        truemed sessions expiring --within 7d --qualification-id tm_qual_abc123 --format csv
    """,
    "sessions mirror": """
        truemed sessions mirror sessions.db
    """,
    "sessions attach": """
        truemed sessions attach accounts.csv --dry-run
        truemed sessions attach accounts.csv --run-id 2026-11 --report report.csv
    """,
    "payments list": """
        truemed payments list --status captured --page-size 5
        truemed payments list --search example.com --include-order-items --format csv
        truemed payments list --columns id,status,total_amount
    """,
    "payments get": f"""
        truemed payments get {PAYMENT}
    """,
    "payments link": f"""
        truemed payments link {PENDING_PAYMENT}
    """,
    "payments export": """
        truemed payments export --month 2026-10 --output october.csv
    """,
    "payments summary": """
        truemed payments summary --month 2026-10
    """,
    "payments create": """
        truemed payments create --amount 20.00 --success-url https://shop.example/thanks --idempotency-key cart-18 \\
            --item '{"name": "Mat", "price": "20.00", "quantity": 1, "sku": "MAT"}'
    """,
    "payments capture": f"""
        truemed payments capture {HELD_PAYMENT} --amount 119.98 --yes
    """,
    "payments void": f"""
        truemed payments void {HELD_PAYMENT} --yes
    """,
    "payments cancel": f"""
        truemed payments cancel {PAYMENT} --dry-run
    """,
    "payments refund": f"""
        truemed payments refund {PAYMENT} --amount 19.99 --reason customer_request --dry-run
        truemed payments refund {PAYMENT} --amount 19.99 --reason customer_request --yes
    """,
    "payments wait": f"""
        truemed payments wait {PAYMENT} --wait 10m
    """,
    "payments refundable": f"""
        truemed payments refundable {PAYMENT}
    """,
    "payments holds": """
        truemed payments holds --within 7d
        truemed payments holds --within 7d --format chart
    """,
    "payments cancel-stale": """
        truemed payments cancel-stale --older-than 7d --dry-run
    """,
    "tokens list": """
        truemed tokens list --card-expires-before 2027-01 --format csv
    """,
    "tokens get": """
        truemed tokens get pt_abc123
    """,
    "tokens export": """
        truemed tokens export --output tokens.csv
    """,
    "tokens summary": """
        truemed tokens summary
    """,
    "tokens create": """
        truemed tokens create --item '{"name": "Box", "price": "29.99", "quantity": 1}' --success-url https://shop.example/
    """,
    "tokens update": """
        truemed tokens update pt_abc123 --update-card-info
    """,
    "tokens delete": """
        truemed tokens delete pt_abc123 --dry-run
    """,
    "tokens provision-request": """
        truemed tokens provision-request ptr_abc123
    """,
    "catalog list": """
        truemed catalog list --eligibility eligible_with_lmn
    """,
    "catalog get": """
        truemed catalog get SB-1
    """,
    "catalog export": """
        truemed catalog export --output items.csv
    """,
    "catalog summary": """
        truemed catalog summary
    """,
    "catalog create": """
        truemed catalog create MAT --name "Yoga mat" --url https://shop.example/mat
    """,
    "catalog update": """
        truemed catalog update SB-1 --name "Soup box" --description "A box of soups" \\
            --image-url https://shop.example/box.png --url https://shop.example/box
    """,
    "catalog sync": """
        truemed catalog sync catalog.csv --dry-run
    """,
    "catalog checkout-method": """
        truemed catalog checkout-method SB-1
    """,
    "reconciliations list": """
        truemed reconciliations list --month 2026-10
        truemed reconciliations list --from 2026-10-01 --to 2026-10-15 --transactions --format csv
    """,
    "reconciliations export": """
        truemed reconciliations export --month 2026-10 --output october.csv
    """,
    "invoices list": """
        truemed invoices list
    """,
    "invoices get": """
        truemed invoices get EXAMPLE-2026-10-22
    """,
    "invoices check": """
        truemed invoices check EXAMPLE-2026-10-22 --total 285.00
    """,
    "webhooks listen": """
        truemed webhooks listen --forward-to http://127.0.0.1:8000/webhooks/truemed
        truemed webhooks listen --events payment_session_complete --json object_id,status
    """,
    "webhooks explain": """
        truemed webhooks explain --body body.json --headers headers.txt
    """,
    "webhooks trigger": """
        truemed webhooks trigger payment_session_complete --to http://127.0.0.1:8000/webhooks/truemed status=rejected --dry-run
    """,
    "webhooks schema": """
        truemed webhooks schema postgres
    """,
    "webhooks catch-up": """
        truemed webhooks catch-up shop.webhooks:receiver --since 2026-11-01
    """,
    "logs tail": """
        truemed logs tail --status 4xx,5xx
        truemed logs tail --limit 100 --no-follow --json method,path,status
    """,
    "open": """
        truemed open
        truemed open inspector --print
        truemed open webhooks --env sandbox
    """,
    "whoami": """
        truemed whoami
        truemed whoami --format json
    """,
    "doctor": """
        truemed doctor
        truemed doctor --save-dialect sandbox.json
    """,
    "emulator": """
        truemed emulator
        truemed emulator --state shop.json --webhook http://127.0.0.1:8000/webhooks/truemed
        truemed emulator --merchant-name "Example Wellness"
        truemed emulator --print-env
    """,
    "config path": """
        truemed config path
    """,
    "config list": """
        truemed config list
    """,
    "config show": """
        truemed config show production
    """,
    "completion": """
        truemed completion bash
        truemed completion bash --install
    """,
}
"""By the words of the command; without words, of the program."""


def format_examples(words: str) -> str:
    """Return the end of a command's help; the command is given by its words without ``truemed``."""
    lines = EXAMPLES.get(words, "").strip().splitlines()
    return "\n".join(["Examples:", *(f"  {line.removeprefix(_INDENT)}" for line in lines)]) if lines else ""
