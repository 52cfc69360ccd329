from PIL import Image

from credit_plugin.tracking.previews import PREVIEWS, log_previews


def test_pictures_are_logged_once(client, tmp_path):
    run_id = client.create_run("0").info.run_id
    folder = tmp_path / "previews"
    folder.mkdir()
    assert log_previews(client, run_id, folder) == 0
    for key in ("aa11", "bb22"):
        Image.new("RGB", (4, 4)).save(folder / f"{key}.png")
    assert log_previews(client, run_id, folder) == 2
    assert log_previews(client, run_id, folder) == 0
    Image.new("RGB", (4, 4)).save(folder / "cc33.png")
    assert log_previews(client, run_id, folder) == 1
    logged = {file.path for file in client.list_artifacts(run_id, PREVIEWS)}
    assert logged == {f"{PREVIEWS}/{key}.png" for key in ("aa11", "bb22", "cc33")}
    local = client.download_artifacts(run_id, f"{PREVIEWS}/aa11.png", str(tmp_path))
    assert Image.open(local).size == (4, 4)
