"""Folders that untrusted code wrote in, and how they go away whatever it put there."""

import os
import stat


def clear(folder: str) -> None:
    """Empty a folder whose owner is dead: any depth, any names, any modes, no link followed.

    What lies deep is moved up before it is removed, so that neither the length of a path nor the number of open
    descriptors limits the depth.
    """
    os.chmod(folder, 0o700)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        moved = 0
        while names := os.listdir(top):
            for name in names:
                if not _is_folder(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                inner = _opened(name, top)
                try:
                    for below in os.listdir(inner):
                        if not _is_folder(below, inner):
                            os.unlink(below, dir_fd=inner)
                            continue
                        os.chmod(below, 0o700, dir_fd=inner)
                        moved += 1
                        while os.path.lexists(f"{folder}/.{moved}"):
                            moved += 1
                        os.rename(below, f".{moved}", src_dir_fd=inner, dst_dir_fd=top)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def remove(folder: str) -> None:
    """Clear a folder and remove it; one that is gone already is no error."""
    try:
        clear(folder)
        os.rmdir(folder)
    except FileNotFoundError:
        pass


def _is_folder(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _opened(name: str, parent: int) -> int:
    os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
