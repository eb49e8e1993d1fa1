"""The function's bytecode, compiled when it was deployed.

It lies beside the package, at /var/cache/task, and that of its layers at /var/cache/opt, with a file
for each source file. What is not there, or not for this interpreter, is compiled from its source, as
if there were no such thing.
"""

import _imp
import os
from _frozen_importlib_external import (
    ExtensionFileLoader,
    FileFinder,
    MAGIC_NUMBER,
    SourceFileLoader,
    SourcelessFileLoader,
)
from marshal import dumps, loads

from . import frames

_TASK = "/var/cache/task"
_LAYERS = ("/opt", "/var/cache/opt")
# Magic number, then flags: by the source's hash, which is not to be checked.
_HEADER = MAGIC_NUMBER + (1).to_bytes(4, "little")
_HEADER_SIZE = 16


class _Loader(SourceFileLoader):
    # Pairs of a folder with source and one with its bytecode, both with a slash at the end.
    caches = ()

    def get_code(self, fullname):
        path = self.path
        for source, cache in self.caches:
            if path.startswith(source):
                try:
                    with open(cache + path[len(source) :] + "c", "rb", 0) as file:
                        data = file.read()
                    if data[:8] == _HEADER:
                        return loads(memoryview(data)[_HEADER_SIZE:])
                except Exception:
                    pass
                break
        return SourceFileLoader.get_code(self, fullname)


def install(root):
    """Makes modules of the package and of layers load from their bytecode, if there is any."""
    import sys

    caches = tuple(
        (source + "/", cache + "/")
        for source, cache in ((root, _TASK), _LAYERS)
        if os.path.isdir(cache) and os.listdir(cache)
    )
    if not caches:
        return None
    _Loader.caches = caches
    sources = tuple(source for source, _ in caches)
    loaders = (
        (ExtensionFileLoader, _imp.extension_suffixes()),
        (_Loader, [".py"]),
        (SourcelessFileLoader, [".pyc"]),
    )

    def hook(path):
        if not (path + "/").startswith(sources):
            raise ImportError("only for the function's own code", path=path)
        if not os.path.isdir(path):
            raise ImportError("only directories are supported", path=path)
        return FileFinder(path, *loaders)

    sys.path_hooks.insert(0, hook)
    return _Loader


def forget():
    """Undoes what was remembered of a package."""
    _Loader.caches = ()


def compile_all(root):
    """Sends the bytecode of every source file below the root."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                bytecode = _compile(path)
                if bytecode is not None:
                    _send(path[len(root) + 1 :], bytecode)
    _send("", b"")


def _compile(path):
    try:
        with open(path, "rb") as file:
            source = file.read()
        code = SourceFileLoader("", path).source_to_code(source, path)
        return _HEADER + _imp.source_hash(_raw_magic(), source) + dumps(code)
    except Exception:
        # Whoever imports it will be told what is wrong.
        return None


def _raw_magic():
    return int.from_bytes(MAGIC_NUMBER, "little")


def _send(name, payload):
    from . import encode

    frames.send(frames.COMPILED, encode.to_json({"name": name}), payload)
