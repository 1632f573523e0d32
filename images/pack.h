/* images/pack.h: an image from a directory or one static binary, reproducibly.
 * Spec: image-spec layer.md, config.md. The same tree and options give the same bytes on every machine:
 * names in byte order, times clamped, owners 0:0 unless kept, our own tar writer (ustar, pax where
 * needed). Symbolic links are stored, never followed; nothing outside the source is read. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "base/strv.h"

struct pack_options {
	/* Seconds since the epoch: the image's creation time; later modification times become this
	 * (reproducible-builds.org, SOURCE_DATE_EPOCH). */
	int64_t created;
	bool keep_owners; /* numeric owners of the source instead of 0:0 */

	/* A single binary's place in the image; NULL: /NAME. */
	const char *binary_path;
};

/* What the image config says; strings borrowed, NULL and empty: absent. */
struct pack_config {
	const char *os, *architecture, *variant; /* NULL: linux and this machine's */
	const char *user, *working_dir, *stop_signal, *author;
	const struct strv *entrypoint, *cmd;
	const struct strv *env;    /* NAME=value */
	const struct strv *ports;  /* "8080/tcp"; "8080" means tcp */
	const struct strv *labels; /* NAME=value */
	const struct strv *volumes; /* "/data" */
};

/* Write the layer's tar.
 *   source_fd  a directory, or a regular file (packed alone, mode 0755), open for reading; borrowed
 *   name       of the regular file
 *   tar_fd     open for writing; borrowed
 * Keeps modes, links (hard links within the source), holes, user. attributes and file capabilities, FIFOs
 * and devices; a socket is left out. Files that change while they are read: EBUSY. */
err *pack_layer(int source_fd, const char *name, const struct pack_options *options, int tar_fd) MUST_CHECK;

/* Append the image config (JSON) of an image with this one layer. diff_id: "sha256:HEX" of the tar. */
err *pack_config(const struct pack_config *config, const struct pack_options *options, const char *diff_id,
		 struct str *out) MUST_CHECK;

/* Whether `fd` is an ELF file without an interpreter, so that it runs without any other file. */
bool pack_is_static_binary(int fd);
