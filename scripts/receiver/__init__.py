"""The reference receiver: plays the cloud over real TLS, for the demo, for the tests and for trying the agent.

It implements `config/cloud-api.yaml`, keeps what arrives as files, and misbehaves on request. It shares no code with
the agent in either direction: what they agree on is the contract, not a module.

    python -m scripts.receiver --folder DIR [--port 0] [--print]

    DIR/keys.txt            accepted security keys, one a line (read again on every request)
    DIR/control.json        how to misbehave, see `misbehave.py` (read again on every request)
    DIR/ca.pem              the throw-away CA to trust; made at the first start
    DIR/batches/ID.json.gz  what arrived, byte for byte; DIR/assessments/ likewise
    DIR/log.jsonl           one line a request, in the order they were answered
"""
