"""The function's bytecode, compiled when it was deployed.

It lies beside the package, at /var/cache/task, and that of its layers at /var/cache/opt, with a file
for each source file. What is not there, or not for this interpreter, is compiled from its source, as
if there were no such thing.

Nothing here changes a class while the runtime becomes a function: the interpreter would forget what it
knows of the class, and a process that was forked copies a page for each thing that it learns again.
"""

import _imp
import os
import sys
import time
from _frozen_importlib import ModuleSpec
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
_EXTENSIONS = _imp.extension_suffixes()

# Pairs of a folder with source and one with its bytecode, both with a slash at the end.
_caches = ()
# Bytecode that is in no file, by the path of its source; see `hold`.
_held = {}
# Seconds that reading and compiling source files has taken.
_spent = 0.0


class _Loader(SourceFileLoader):
    def get_code(self, fullname):
        global _spent
        started = time.perf_counter()
        try:
            code = _bytecode(self.path)
            return SourceFileLoader.get_code(self, fullname) if code is None else code
        finally:
            _spent += time.perf_counter() - started


def _bytecode(path):
    for source, cache in _caches:
        if path.startswith(source):
            try:
                data = _held.get(path) or _read(cache + path[len(source) :] + "c")
                if data[:8] == _HEADER:
                    return loads(memoryview(data)[_HEADER_SIZE:])
            except Exception:
                pass
            break
    return None


def _read(path):
    # Without what `open` makes for every file.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(file).st_size
        data = os.read(file, size)
        while len(data) < size:
            more = os.read(file, size - len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(file)


def seconds_spent():
    """What has gone into reading and compiling source files, of this function or one before it."""
    return _spent


def install(root):
    """Makes modules of the package and of layers load from their bytecode, if there is any."""
    global _caches
    _caches = tuple(
        (source + "/", cache + "/")
        for source, cache in ((root, _TASK), _LAYERS)
        if _held or os.path.isdir(cache)
    )
    sources = (root + "/", _LAYERS[0] + "/")
    loaders = (
        (ExtensionFileLoader, _EXTENSIONS),
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


def load_first(name, root):
    """Does what importing this module of the package would do, in a part of the time: where it is one
    compiled file that nothing comes before. False where an import has to look for it."""
    global _spent
    started = time.perf_counter()
    path = root + "/" + name + ".py"
    code = _bytecode(path) if _is_first(name, root) else None
    _spent += time.perf_counter() - started
    if code is None:
        return False
    loader = _Loader(name, path)
    spec = ModuleSpec(name, loader, origin=path)
    spec._set_fileattr = True
    spec._cached = "%s/__pycache__/%s.%s.pyc" % (root, name, sys.implementation.cache_tag)
    module = type(sys)(name)
    module.__spec__ = spec
    module.__loader__ = loader
    module.__package__ = ""
    module.__file__ = path
    module.__cached__ = spec._cached
    spec._initializing = True
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    finally:
        spec._initializing = False
    return True


def _is_first(name, root):
    if "." in name or name in sys.modules or sys.path[0] != root:
        return False
    if _imp.is_builtin(name) or _imp.is_frozen(name):
        return False
    # A package, or a compiled extension.
    path = root + "/" + name
    return not any(os.access(path + suffix, os.F_OK) for suffix in ("", *_EXTENSIONS))


def hold(path):
    """Makes this module load as if it had been compiled when it was deployed."""
    _read(path)
    _held[path] = _compile(path)


def forget():
    """Undoes what was remembered of a package."""
    global _caches
    _caches = ()
    _held.clear()


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
