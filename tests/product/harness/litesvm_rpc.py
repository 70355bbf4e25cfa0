"""A Solana node for the tests: LiteSVM behind JSON-RPC on a port of the system.

Real: the runtime. `solders.litesvm.LiteSVM` (PyPI) is Solana's own runtime in this process: signatures, nonces, fees, rent,
the System and Memo programs. Accounts and balances are its.

Ours: everything around it. LiteSVM has neither blocks nor RPC. One executed transaction is one block here, every third slot
stays empty, a block is final when the test says so, and the answers are written as the Solana documentation ("RPC methods")
has them, with the members the watcher reads. Accounts are shown as they are now, at whatever commitment is asked.

Methods that begin with `test` are the test's: they mine, finalise, fund, and execute without trying first.
"""

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, create_nonce_account, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
NONCE_ACCOUNT_LENGTH = 80
SECONDS_A_SLOT = 0.4
BEGAN_S = 1_700_000_000
CUSTOMER_HAS = 10**14
# Real nodes give a thousand at once.
PAGE = 3


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Node:
    def __init__(self):
        # No history: then it is the nonce alone that keeps a transaction from being executed twice.
        self.svm = LiteSVM().with_transaction_history(0)
        assert self.svm.get_sigverify()
        self.genesis = str(self.svm.latest_blockhash())
        self.blocks = {0: self.genesis}
        self.executed = []
        self.waiting = []
        self.final = 0
        self.behind = False
        self.skipped = 0
        self.reply_to_lose = None
        self.customer = Keypair()
        self.svm.airdrop(self.customer.pubkey(), CUSTOMER_HAS)

    # Blocks.

    def next_block(self):
        slot = max(self.blocks) + 1
        slot, self.skipped = slot + self.skipped, 0
        slot += slot % 3 == 0
        self.svm.warp_to_slot(slot)
        self.svm.expire_blockhash()
        self.blocks[slot] = str(self.svm.latest_blockhash())
        return slot

    def execute(self, transaction):
        """Executes at once, in a block of its own. None, or the error; what the runtime refuses outright is in no block."""
        keys = transaction.message.account_keys
        before = [self.svm.get_balance(key) or 0 for key in keys]
        result = self.svm.send_transaction(transaction)
        after = [self.svm.get_balance(key) or 0 for key in keys]
        error = str(result.err()) if isinstance(result, FailedTransactionMetadata) else None
        # Who fails in a block pays the fee all the same.
        if error is None or before != after:
            slot = self.next_block()
            self.executed.append((slot, transaction, error, before, after))
        return error

    def found(self, signature):
        return next((one for one in self.executed if str(one[1].signatures[0]) == signature), None)

    # What a node answers.

    def get_genesis_hash(self):
        return self.genesis

    def get_slot(self, _options):
        return self.final

    def get_health(self):
        if self.behind:
            raise Refused(-32005, "Node is behind")
        return "ok"

    def get_max_shred_insert_slot(self):
        return max(self.blocks) + 100

    def get_blocks(self, first, last, _options):
        return [slot for slot in sorted(self.blocks) if first <= slot <= min(last, self.final)]

    def get_block(self, slot, _options):
        if slot > self.final:
            raise Refused(-32004, f"Block not available for slot {slot}")
        if slot not in self.blocks:
            raise Refused(-32007, f"Slot {slot} was skipped")
        return {
            "blockhash": self.blocks[slot],
            "parentSlot": max((other for other in self.blocks if other < slot), default=0),
            "blockTime": BEGAN_S + int(slot * SECONDS_A_SLOT),
            "blockHeight": sorted(self.blocks).index(slot),
        }

    def get_account_info(self, address, _options):
        account = self.svm.get_account(Pubkey.from_string(address))
        if account is None or account.lamports == 0:
            return self.in_context(None)
        return self.in_context({
            "data": [base64.b64encode(account.data).decode(), "base64"],
            "executable": account.executable,
            "lamports": account.lamports,
            "owner": str(account.owner),
            "space": len(account.data),
        })

    def get_balance(self, address, _options=None):
        return self.in_context(self.svm.get_balance(Pubkey.from_string(address)) or 0)

    def get_minimum_balance_for_rent_exemption(self, length):
        return self.svm.minimum_balance_for_rent_exemption(length)

    def get_signatures_for_address(self, address, options):
        if options.get("minContextSlot", 0) > self.final:
            raise Refused(-32016, "Minimum context slot has not been reached")
        key = Pubkey.from_string(address)
        listed = [
            {"signature": str(transaction.signatures[0]), "slot": slot, "err": error, "memo": None,
             "confirmationStatus": "finalized"}
            for slot, transaction, error, _, _ in reversed(self.executed)
            if slot <= self.final and key in transaction.message.account_keys
        ]
        if before := options.get("before"):
            place = [one["signature"] for one in listed].index(before)
            listed = listed[place + 1:]
        return listed[:PAGE]

    def get_transaction(self, signature, _options):
        found = self.found(signature)
        if found is None or found[0] > self.final:
            return None
        slot, transaction, error, before, after = found
        return {
            "slot": slot,
            "transaction": {
                "signatures": [str(one) for one in transaction.signatures],
                "message": message_as_json(transaction.message),
            },
            "meta": {
                "err": error, "fee": 5000, "preBalances": before, "postBalances": after, "innerInstructions": [],
                "loadedAddresses": {"writable": [], "readonly": []},
            },
            "version": "legacy",
        }

    def get_signature_statuses(self, signatures, _options):
        return self.in_context([self.status(signature) for signature in signatures])

    def status(self, signature):
        found = self.found(signature)
        if found is None:
            return None
        is_final = found[0] <= self.final
        return {
            "slot": found[0], "confirmations": None if is_final else 1, "err": found[2],
            "confirmationStatus": "finalized" if is_final else "confirmed",
        }

    def send_transaction(self, data, options):
        assert options["encoding"] == "base64"
        transaction = VersionedTransaction.from_bytes(base64.b64decode(data))
        tried = self.svm.simulate_transaction(transaction)
        if isinstance(tried, FailedTransactionMetadata):
            error = str(tried.err())
            raise Refused(-32003 if "SignatureFailure" in error else -32002, f"simulation failed: {error}")
        self.waiting.append(transaction)
        return str(transaction.signatures[0])

    def in_context(self, value):
        return {"context": {"slot": self.final}, "value": value}

    # What only a test asks for.

    def test_mine(self):
        """Executes what was sent; nothing sent makes an empty block."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            self.next_block()
        return [self.execute(transaction) for transaction in waiting]

    def test_finalize(self):
        self.final = max(self.blocks)
        return self.final

    def test_execute(self, data):
        return self.execute(VersionedTransaction.from_bytes(base64.b64decode(data)))

    def test_behind(self, behind):
        self.behind = behind

    def test_skip(self, slots):
        self.skipped = slots

    def test_lose_reply(self, method):
        self.reply_to_lose = method

    def test_has_lost_reply(self):
        return self.reply_to_lose is None

    def test_memos(self, signature):
        message = self.found(signature)[1].message
        memos = [one for one in message.instructions if message.account_keys[one.program_id_index] == MEMO]
        return [bytes(one.data).decode() for one in memos]

    def test_create_nonce_account(self, authority):
        account = Keypair()
        lamports = self.svm.minimum_balance_for_rent_exemption(NONCE_ACCOUNT_LENGTH)
        steps = create_nonce_account(
            self.customer.pubkey(), account.pubkey(), Pubkey.from_string(authority), lamports)
        self.by_customer(list(steps), [account])
        return str(account.pubkey())

    def test_pay(self, payments, memos):
        """A customer pays, in one transaction."""
        steps = [
            transfer(TransferParams(from_pubkey=self.customer.pubkey(), to_pubkey=Pubkey.from_string(to), lamports=lamports))
            for to, lamports in payments
        ]
        return self.by_customer(steps + [Instruction(MEMO, memo.encode(), []) for memo in memos], [])

    def by_customer(self, steps, others):
        blockhash = Hash.from_string(self.blocks[max(self.blocks)])
        message = Message.new_with_blockhash(steps, self.customer.pubkey(), blockhash)
        transaction = VersionedTransaction(message, [self.customer, *others])
        error = self.execute(transaction)
        assert error is None, error
        return str(transaction.signatures[0])


def message_as_json(message):
    return {
        "accountKeys": [str(key) for key in message.account_keys],
        "instructions": [
            {"programIdIndex": one.program_id_index, "accounts": list(one.accounts), "data": base58(bytes(one.data))}
            for one in message.instructions
        ],
        "recentBlockhash": str(message.recent_blockhash),
    }


def base58(data):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = alphabet[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in call["method"])
        answer = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            answer["result"] = getattr(self.server.node, name)(*call["params"])
        except Refused as refused:
            answer["error"] = {"code": refused.code, "message": str(refused)}
        if call["method"] == self.server.node.reply_to_lose:
            self.server.node.reply_to_lose = None
            return
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    # One thread: the runtime is of the thread that made it.
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.node = Node()
    print(f"Listening on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
