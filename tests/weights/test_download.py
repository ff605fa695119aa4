"""Downloads from a server on this machine: good ones, cut ones, wrong ones and none."""

import dataclasses
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import opticflow
from opticflow import weights
from opticflow.errors import FormatError, InputError, WeightsError
from opticflow.weights import WeightsRecord, download, load_network, manifest
from opticflow.weights import download as download_function
from vectors import read_vector


class Server(http.server.ThreadingHTTPServer):
    """Serves one file under any name; `cuts` answers end in the middle first."""

    contents = b""
    cuts = 0
    status = 200
    asked = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.asked += 1
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.contents)))
        self.end_headers()
        cut = self.server.asked <= self.server.cuts
        self.wfile.write(self.server.contents[: len(self.server.contents) // 2] if cut else self.server.contents)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.contents = read_vector("torchvision-raft_small").write(tmp_path / "served").read_bytes()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("OPTICFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # pooch waits between attempts
    return tmp_path / "cache" / "weights"


def record_of(server: Server, **changes) -> WeightsRecord:
    sha256 = hashlib.sha256(server.contents).hexdigest()
    known = WeightsRecord(
        name="RAFT-small.test",
        parameters=990_162,
        licence="none",
        trained_on="nothing",
        url=f"http://127.0.0.1:{server.server_port}/raft.pth",
        sha256=sha256,
    )
    return dataclasses.replace(known, **changes)


@pytest.mark.parametrize("begins", [False, True])
def test_a_download_is_checked_kept_and_usable(server, cache, monkeypatch, begins):
    full = hashlib.sha256(server.contents).hexdigest()
    record = record_of(server, sha256=None, sha256_begins=full[:8]) if begins else record_of(server)
    monkeypatch.setattr(weights, "records", lambda: (record,))
    with pytest.raises(WeightsError, match=r"opticflow models download RAFT-small\.test"):
        load_network("RAFT-small")
    path = download(record)
    assert path == cache / "raft.pth" and path.read_bytes() == server.contents
    assert download(record) == path and server.asked == 1
    tagged, bare = opticflow.load("RAFT-small.test").network, load_network("RAFT-small")
    assert tagged.state_dict().keys() == bare.state_dict().keys()
    path.write_bytes(server.contents[:-1])
    with pytest.raises(WeightsError, match="delete it"):
        load_network("RAFT-small")


@pytest.mark.parametrize("begins", [False, True])
def test_another_file_is_refused_and_not_kept(server, cache, begins):
    wrong = {"sha256": None, "sha256_begins": "01234567"} if begins else {"sha256": "01234567" * 8}
    with pytest.raises(WeightsError, match="begins with 01234567"):
        download(record_of(server, **wrong))
    assert list(cache.iterdir()) == []


def test_a_cut_connection_is_tried_again(server, cache):
    server.cuts = 2
    assert download(record_of(server)).read_bytes() == server.contents
    assert server.asked == 3 and [path.name for path in cache.iterdir()] == ["raft.pth"]


def test_a_connection_that_is_always_cut_leaves_nothing(server, cache):
    server.cuts = 100
    with pytest.raises(WeightsError, match="check the connection"):
        download(record_of(server))
    assert list(cache.iterdir()) == []


def test_not_found(server, cache):
    server.status = 404
    with pytest.raises(WeightsError, match="answers 404"):
        download(record_of(server))


def test_offline(server, cache):
    record = record_of(server, url="http://127.0.0.1:1/raft.pth")
    with pytest.raises(WeightsError, match=r"check the connection.*cache"):
        download(record)


def test_a_set_without_an_address(server, cache):
    with pytest.raises(WeightsError, match=r"example.org.*models import"):
        download(record_of(server, url=None, page="https://example.org"))


def test_progress_is_told(server, cache):
    class Bar:
        total = 0
        seen = 0

        def update(self, count):
            self.seen += count

        def reset(self):
            self.seen = 0

        def close(self):
            pass

    bar = Bar()
    download_function(record_of(server), progress=bar)
    assert bar.seen == bar.total == len(server.contents)


def test_the_list_of_weights_is_sound():
    known = manifest.records()
    assert len({record.name for record in known}) == len(known)
    for record in known:
        assert weights.is_learned(record.network) and record.tag
        assert record.licence and record.trained_on
        assert record.url or record.page or record.file
        if record.url:
            assert record.sha256 or (record.sha256_begins and record.sha256_begins in record.url)
        if record.file:
            weights.download(record)


def test_parameters_in_the_list_are_those_of_the_networks():
    import torch

    from opticflow.models import build

    for record in manifest.records():
        with torch.device("meta"):
            network = build(record.network, **({"batch_norm": True} if record.tag.endswith("-bn") else {}))
        assert sum(parameter.numel() for parameter in network.parameters()) == record.parameters, record.name


def test_names_without_weights_say_what_to_do(cache):
    with pytest.raises(WeightsError, match="give a checkpoint file"):
        load_network("FlowNet2-ss")
    with pytest.raises(WeightsError, match=r"download RAFT.C_T_SKHT_V2"):
        load_network("RAFT")
    with pytest.raises(InputError, match=r"RAFT\.C_T_V1"):
        load_network("RAFT.nonsense")
    with pytest.raises(InputError, match="DIS has no weights"):
        load_network("DIS.tag")
    with pytest.raises(InputError, match="RAFT-small"):
        load_network("raft-small")


def test_imported_weights_are_known_by_their_name(cache, tmp_path):
    from opticflow.weights import import_checkpoint

    checkpoint, path = import_checkpoint(read_vector("princeton-raft-things-pad_kitti").write(tmp_path / "x.pth"))
    assert checkpoint.name == "RAFT.princeton.x" and path == cache / "RAFT.princeton.x.safetensors"
    wanted = load_network(path).state_dict()
    for name in ("RAFT.princeton.x", "RAFT.princeton", "RAFT"):
        found = load_network(name).state_dict()
        assert all((found[key] == wanted[key]).all() for key in wanted)


def test_two_imports_of_the_same_authors_stand_side_by_side(cache, tmp_path):
    from opticflow.weights import import_checkpoint

    things, small = "princeton-raft-things-pad_kitti", "princeton-raft-small-pad_sintel"
    for name in ("raft-things.pth", "raft sintel.pth.tar"):
        import_checkpoint(read_vector(things).write(tmp_path / name))
    import_checkpoint(read_vector(small).write(tmp_path / "raft-small.pth"))
    assert sorted(path.name for path in cache.iterdir()) == [
        "RAFT-small.princeton.raft-small.safetensors",
        "RAFT.princeton.raft-sintel.safetensors",
        "RAFT.princeton.raft-things.safetensors",
    ]
    with pytest.raises(InputError, match=r"RAFT\.princeton\.raft-sintel or RAFT\.princeton\.raft-things"):
        load_network("RAFT.princeton")
    assert load_network("RAFT-small.princeton") and load_network("RAFT-small")
    with pytest.raises(WeightsError, match=r"no weights for RAFT-small\.C_T_V2 here"):
        load_network("RAFT-small.C_T_V2")


def test_an_import_does_not_replace_other_weights(cache, tmp_path):
    import torch

    from opticflow.weights import import_checkpoint

    file = read_vector("princeton-raft-small-pad_sintel").write(tmp_path / "a.pth")
    _, path = import_checkpoint(file)
    import_checkpoint(file)  # the same once more does no harm
    before = path.read_bytes()
    torch.save({name: tensor + 1 for name, tensor in torch.load(file).items()}, file)
    with pytest.raises(WeightsError, match="known already, with other contents"):
        import_checkpoint(file)
    assert path.read_bytes() == before
    path.write_bytes(before[:-10])
    import_checkpoint(file)


def test_a_cache_that_cannot_be_written(cache, tmp_path, monkeypatch):
    from opticflow.weights import import_checkpoint

    record = next(record for record in manifest.records() if record.url)
    (tmp_path / "file").touch()
    monkeypatch.setenv("OPTICFLOW_CACHE", str(tmp_path / "file"))
    with pytest.raises(FormatError, match="cannot make the folder"):
        weights.download(record)
    with pytest.raises(FormatError, match="cannot make the folder"):
        import_checkpoint(read_vector("princeton-raft-small-pad_sintel").write(tmp_path / "a.pth"))
    monkeypatch.setenv("OPTICFLOW_CACHE", str(tmp_path / "closed"))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pooch.Pooch.fetch", refuse)
    with pytest.raises(WeightsError, match="Permission denied; set OPTICFLOW_CACHE"):
        weights.download(record)


def test_a_name_that_is_too_long():
    with pytest.raises(InputError, match="there is no model"):
        load_network("x" * 300)
    with pytest.raises(InputError, match="there is no model"):
        load_network("x." * 300)


@pytest.mark.parametrize("url", ["notaurl", "ftp://127.0.0.1/raft.pth", "file:///etc/hostname"])
def test_what_is_no_address_is_not_asked(server, cache, url):
    with pytest.raises(WeightsError, match="is no address of the web"):
        download(record_of(server, url=url))
    assert not list(cache.glob("*"))
