"""The writer: bytes identical to the captured ones, and nothing but read-only methods."""

from __future__ import annotations

import hashlib
import struct

import pytest

from agent.jmx import calls
from agent.jmx.calls import CallBytes, Method, VirtualMachineId, call
from agent.jmx.errors import ProtocolError
from agent.jmx.nodes import JavaArray
from agent.jmx.serial import StreamReader
from tests.jmx.vectors import records, request

TIMER = "com.atlassian.jira:type=metrics,category00=db,category01=web,name=request01"
WEIRD = "fixture:type=Weird"


def object_id_of(raw: bytes) -> bytes:
    return raw[7:29]


def attributes(bean: str, *names: str) -> tuple[Method, bytes]:
    return Method.GET_ATTRIBUTES, calls.attributes_arguments(bean, calls.strings(names))


def attribute(bean: str, name: str) -> tuple[Method, bytes]:
    return Method.GET_ATTRIBUTE, calls.attribute_arguments(bean, name)


def text_of(raw: bytes, before: bytes) -> str:
    begin = raw.index(before) + len(before)
    return raw[begin + 2 : begin + 2 + int.from_bytes(raw[begin : begin + 2], "big")].decode()


def captured_attributes(raw: bytes) -> tuple[Method, bytes]:
    """The same getAttributes call again: bean and names are taken from the capture, all bytes around them are ours."""
    reader = StreamReader(raw, 1)
    reader.magic()
    reader.block()
    reader.value()
    array = reader.value()
    assert isinstance(array, JavaArray)
    return attributes(text_of(raw, BEAN_HEAD), *map(str, array.items))


BEAN_HEAD = bytes.fromhex("0f03a71beb6d15cf0300007078 7074")
CASES = {
    "timer-attributes": None,
    "memory": None,
    "weird": None,
    "some-missing": None,
    "no-bean": None,
    "timer-info": (Method.GET_MBEAN_INFO, calls.bean_arguments(TIMER)),
    "registered": (Method.IS_REGISTERED, calls.bean_arguments(TIMER)),
    "names": (Method.QUERY_NAMES, calls.query_arguments("java.lang:type=MemoryPool,*")),
    "closed": (Method.GET_CONNECTION_ID, b""),
    **{f"value-{name}": attribute(WEIRD, name) for name in ("Utf", "Date", "Tab", "Custom", "ConcMap")},
}


@pytest.mark.parametrize("name", CASES)
def test_calls_are_identical_to_the_captured_ones(name: str) -> None:
    """Every call of the vectors comes out byte by byte."""
    raw = request(name)
    method, arguments = CASES[name] or captured_attributes(raw)
    assert call(object_id_of(raw), method, arguments) == raw


def test_a_whole_session_is_identical_to_the_captured_one() -> None:
    """Lookup, newClient with a password, dirty, getConnectionId and close of the captured session come out again."""
    sent = [raw for side, raw in records("session-auth") if side == "C" and raw.startswith(b"\x50")]
    lookup, new_client, dirty, connection_id, get_attributes, close = sent
    assert call(calls.REGISTRY_ID, Method.LOOKUP, calls.string("jmxrmi")) == lookup
    pair = calls.credentials("monitor", "s3cret")
    assert call(object_id_of(new_client), Method.NEW_CLIENT, pair) == new_client
    holder = VirtualMachineId(dirty[-28:-20], dirty[-14:])
    leased = object_id_of(connection_id)
    assert call(calls.DGC_ID, Method.DIRTY, calls.dirty_arguments(leased, 1, 600_000, holder)) == dirty
    assert call(leased, Method.GET_CONNECTION_ID) == connection_id
    assert call(leased, *captured_attributes(get_attributes)) == get_attributes
    assert call(leased, Method.CLOSE) == close


def test_the_old_and_the_new_lookup() -> None:
    """A registry without skeleton is asked by method hash; no credentials is a null."""
    sent = [raw for side, raw in records("stub-proxy") if side == "C" and raw.startswith(b"\x50")]
    assert call(calls.REGISTRY_ID, Method.LOOKUP_WITHOUT_SKELETON, calls.string("jmxrmi")) == sent[1]
    assert call(object_id_of(sent[2]), Method.NEW_CLIENT, calls.credentials(None, None)) == sent[2]


SUBJECT = "Ljavax/security/auth/Subject;"
TEXT = "Ljava/lang/String;"
NAME = "Ljavax/management/ObjectName;"
DESCRIPTORS = {
    Method.LOOKUP_WITHOUT_SKELETON: "lookup(Ljava/lang/String;)Ljava/rmi/Remote;",
    Method.NEW_CLIENT: "newClient(Ljava/lang/Object;)Ljavax/management/remote/rmi/RMIConnection;",
    Method.CLOSE: "close()V",
    Method.GET_CONNECTION_ID: "getConnectionId()Ljava/lang/String;",
    Method.GET_DEFAULT_DOMAIN: f"getDefaultDomain({SUBJECT})Ljava/lang/String;",
    Method.GET_MBEAN_COUNT: f"getMBeanCount({SUBJECT})Ljava/lang/Integer;",
    Method.IS_REGISTERED: f"isRegistered({NAME}{SUBJECT})Z",
    Method.QUERY_NAMES: f"queryNames({NAME}Ljava/rmi/MarshalledObject;{SUBJECT})Ljava/util/Set;",
    Method.GET_MBEAN_INFO: f"getMBeanInfo({NAME}{SUBJECT})Ljavax/management/MBeanInfo;",
    Method.GET_ATTRIBUTE: f"getAttribute({NAME}Ljava/lang/String;{SUBJECT})Ljava/lang/Object;",
    Method.GET_ATTRIBUTES: f"getAttributes({NAME}[Ljava/lang/String;{SUBJECT})Ljavax/management/AttributeList;",
}
FORBIDDEN = {
    "invoke": f"invoke({NAME}{TEXT}Ljava/rmi/MarshalledObject;[{TEXT}{SUBJECT})Ljava/lang/Object;",
    "setAttribute": f"setAttribute({NAME}Ljava/rmi/MarshalledObject;{SUBJECT})V",
    "setAttributes": f"setAttributes({NAME}Ljava/rmi/MarshalledObject;{SUBJECT})Ljavax/management/AttributeList;",
    "createMBean": f"createMBean(Ljava/lang/String;{NAME}{SUBJECT})Ljavax/management/ObjectInstance;",
    "unregisterMBean": f"unregisterMBean({NAME}{SUBJECT})V",
    "bind": "bind(Ljava/lang/String;Ljava/rmi/Remote;)V",
}


def method_hash(descriptor: str) -> bytes:
    raw = descriptor.encode()
    digest = hashlib.sha1(struct.pack(">H", len(raw)) + raw, usedforsecurity=False).digest()
    return digest[:8][::-1]


@pytest.mark.parametrize("method", DESCRIPTORS)
def test_method_hashes_are_those_of_the_java_methods(method: Method) -> None:
    """The hash is the head of SHA-1 over name and descriptor, little-endian (section 3)."""
    assert method.selector == struct.pack(">i", -1) + method_hash(DESCRIPTORS[method])


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_other_method_can_be_said(name: str) -> None:
    """A call that is not on the list cannot be made, whatever its bytes: invoke, set, create, bind are refused."""
    raw = calls.CALL_HEAD + bytes(22) + struct.pack(">i", -1) + method_hash(FORBIDDEN[name])
    with pytest.raises(ProtocolError):
        CallBytes(raw)
    assert not any(word in member.name for member in Method for word in ("INVOKE", "SET_", "CREATE", "UNREGISTER"))


def test_old_style_operations_of_the_registry_that_change_it_cannot_be_said() -> None:
    """bind, list, rebind and unbind share the interface hash of lookup: their numbers are refused."""
    for operation in (0, 1, 3, 4):
        with pytest.raises(ProtocolError):
            CallBytes(calls.CALL_HEAD + bytes(22) + struct.pack(">i", operation) + Method.LOOKUP.selector[4:])


def test_a_call_does_not_show_its_arguments() -> None:
    """Arguments may hold a password: neither repr nor an exception shows them."""
    made = call(bytes(22), Method.NEW_CLIENT, calls.credentials("monitor", "s3cret"))
    assert "s3cret" not in repr(made)
    with pytest.raises(ProtocolError) as caught:
        CallBytes(made[:29] + bytes(12) + made[41:])
    assert "s3cret" not in str(caught.value)


def test_strings_are_written_as_modified_utf8() -> None:
    """What is written can be read again: NUL, accents, characters beyond U+FFFF."""
    text = "a\0é€\U0001f600"
    assert StreamReader(calls.string(text)).value() == text
    assert calls.encode_utf("\0") == b"\xc0\x80"
    with pytest.raises(ProtocolError):
        calls.string("x" * 70_000)
