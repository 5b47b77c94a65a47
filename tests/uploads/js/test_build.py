"""What is built and published is built from the sources that are here, small, and translated."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict

import pytest
from django.utils import translation

from smart_storages.uploads.texts import TEXTS, texts_as_json
from tests.uploads.js.conftest import SCRIPT, need_packages

SOURCES = SCRIPT / "js"
BUILT = SCRIPT / "static" / "smart_storages" / "uploads"
LANGUAGES = ["ar", "de", "es", "fr", "ja", "pt-br"]
_MOST_BYTES = 8 * 1024


def built(name: str) -> str:
    return (BUILT / name).read_text(encoding="utf-8")


def test_the_built_files_are_of_these_sources() -> None:
    digest = hashlib.sha256()
    sources = sorted((SOURCES / "src").iterdir(), key=lambda path: path.name)
    others = ("build.mjs", "package-lock.json", "tsconfig.json")
    for path in [*sources, *(SOURCES / name for name in others)]:
        digest.update(path.read_bytes())
    stamp = f'"make js" built it from sources {digest.hexdigest()[:16]} */'
    for name in ("smart-upload.js", "smart-upload.d.ts"):
        assert stamp in built(name).partition("\n")[0], f"{name} is stale: make js"


@pytest.mark.slow
def test_a_build_gives_the_files_that_are_published(tmp_path: Path) -> None:
    need_packages()
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=str(SOURCES), check=True, timeout=120)
    for name in ("smart-upload.js", "smart-upload.d.ts"):
        assert (tmp_path / name).read_text(encoding="utf-8") == built(name)


@pytest.mark.slow
def test_the_types_fit_how_the_script_is_used(tmp_path: Path) -> None:
    need_packages()
    shutil.copy(str(BUILT / "smart-upload.d.ts"), str(tmp_path))
    (tmp_path / "use.ts").write_text(
        """
        import { attach, smartUpload, UploadError, type UploadProgress } from "./smart-upload";
        export async function send(file: File, signal: AbortSignal): Promise<string> {
          const onProgress = ({ loaded, secondsLeft }: UploadProgress): void =>
            console.log(loaded.toFixed(), secondsLeft?.toFixed());
          const options = { endpoint: "/uploads/", field: "x", onProgress, signal };
          const upload = smartUpload(file, options);
          upload.pause();
          if (upload.state === "paused") upload.resume();
          attach(document.body);
          // @ts-expect-error: there is no such state
          if (upload.state === "asleep") upload.cancel();
          try {
            return (await upload).token;
          } catch (error) {
            return error instanceof UploadError ? error.code : "";
          }
        }
        """
    )
    compiler = str(SOURCES / "node_modules" / ".bin" / "tsc")
    options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--types", ""]
    options += ["--module", "es2022", "--moduleResolution", "bundler"]
    result = subprocess.run(
        [compiler, *options, "use.ts"],
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.stdout == ""


def test_the_script_is_small() -> None:
    assert len(gzip.compress((BUILT / "smart-upload.js").read_bytes(), 9)) < _MOST_BYTES


@pytest.mark.parametrize(
    "pattern", [r"\beval\b", r"new Function", r"innerHTML", r"setAttribute\(.style", r"import[ (]"]
)
def test_the_script_does_nothing_that_a_strict_policy_forbids(pattern: str) -> None:
    assert not re.search(pattern, built("smart-upload.js"))


def test_the_script_asks_for_the_texts_that_there_are() -> None:
    source = (SOURCES / "src" / "texts.ts").read_text(encoding="utf-8")
    declared = source.partition("export type Text =")[2].partition(";")[0]
    assert re.findall(r'"(\w+)"', declared) == list(TEXTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_the_same_values(language: str) -> None:
    with translation.override(None):
        english: Dict[str, str] = {key: str(text) for key, text in TEXTS.items()}
    with translation.override(language):
        translated = {key: str(text) for key, text in TEXTS.items()}
        assert translated["paused"] in texts_as_json()
    for key, text in english.items():
        assert translated[key] != text, key
        values = re.findall(r"\{\w+\}", text)
        assert sorted(re.findall(r"\{\w+\}", translated[key])) == sorted(values), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_of_the_app_is_translated_and_compiled(language: str) -> None:
    folder = SCRIPT / "locale" / translation.to_locale(language) / "LC_MESSAGES"
    text = (folder / "django.po").read_text(encoding="utf-8")
    assert not re.search(r'msgstr(\[\d\])? ""\n(?!")', text.partition("\n\n")[2])
    assert "fuzzy" not in text
    if shutil.which("msgfmt"):
        compiled = subprocess.run(
            ["msgfmt", "-o", "-", str(folder / "django.po")], stdout=subprocess.PIPE, check=True
        )
        assert compiled.stdout == (folder / "django.mo").read_bytes(), (
            f"{language}: compilemessages"
        )
