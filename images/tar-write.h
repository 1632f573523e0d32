/* images/tar-write.h: the tar that pack makes: ustar, with pax records only where ustar has no room.
 * Spec: POSIX.1-2017 pax(1); GNU sparse format 1.0. One entry, one way to write it, on every machine. */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "images/tar.h"

/* Append an entry's headers to tar_fd. entry->path: relative, without "./"; directories get their slash
 * here. entry->xattrs: by name, ascending. entry->extents: the map of a sparse file (multiples of 512
 * bytes, but for the end); not looked at when sparse is false. The caller writes the data: all of it, or
 * the extents one after the other, then tar_write_padding(). */
err *tar_write_header(int tar_fd, const struct tar_entry *entry, bool sparse) MUST_CHECK;

/* Zeros up to the next header; `written` bytes of data went before. */
err *tar_write_padding(int tar_fd, uint64_t written) MUST_CHECK;

/* The two empty blocks at the end. */
err *tar_write_end(int tar_fd) MUST_CHECK;
