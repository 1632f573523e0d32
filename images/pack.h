/* images/pack.h: an image from a directory or one static binary, reproducibly.
 * Spec: image-spec layer.md, config.md. The same tree and options give the same bytes on every machine:
 * names in byte order, times in whole seconds and clamped, owners 0:0 unless kept, holes found by content,
 * our own tar writer. Symbolic links are stored, never followed; nothing outside the source is read. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "base/strv.h"
#include "images/store.h"
#include "oci/digest.h"

/* As creation time: the youngest modification time in the source. */
#define PACK_CREATED_YOUNGEST INT64_MIN

struct pack_options {
	/* Seconds since the epoch, or PACK_CREATED_YOUNGEST. Later modification times become this
	 * (reproducible-builds.org, SOURCE_DATE_EPOCH). */
	int64_t created;
	bool keep_owners; /* numeric owners of the source instead of 0:0 */

	/* A single binary's place in the image; NULL: /NAME. */
	const char *binary_path;
};

/* What the image config says; all borrowed; NULL or empty: absent. */
struct pack_config {
	const struct oci_platform *platform; /* NULL: linux and this machine's */
	const char *user, *working_dir, *stop_signal, *author;
	const struct strv *entrypoint, *cmd;
	const struct strv *env;     /* NAME=value */
	const struct strv *ports;   /* "8080/tcp", "53/udp"; "8080" means tcp */
	const struct strv *labels;  /* NAME=value */
	const struct strv *volumes; /* "/data" */
};

/* Write the layer's tar.
 *   source_fd    a directory, or a regular file (packed alone, mode 0755), open for reading; borrowed
 *   name         of the regular file; NULL for a directory
 *   tar_fd       open for writing, a pipe will do; borrowed
 *   ret_created  options->created, or the youngest time that was met
 * Keeps modes, links (hard links within the source), holes of 64 KiB and more, user. attributes, POSIX ACLs,
 * file capabilities, FIFOs and devices. The top directory's own metadata is left out, so is a socket; another
 * file system mounted below is an empty directory.
 * Errors name the path: EBUSY a file that changed while it was read; EINVAL a name that means a whiteout. */
err *pack_layer(int source_fd, const char *name, const struct pack_options *options, int tar_fd,
		int64_t *ret_created) MUST_CHECK;

/* Append the image config (JSON) of an image with this one layer. EINVAL names the value that is wrong. */
err *pack_config_encode(const struct pack_config *config, int64_t created, const struct digest *diff_id,
			struct str *out) MUST_CHECK;

/* Pack into the store: layer, config, manifest, and `name` for it (complete, as reference_text() gives it).
 * A single binary gets itself as entrypoint, unless the config has one. *ret: the manifest. Runs a thread;
 * leaves nothing visible on failure. */
err *image_pack(struct image_store *store, int source_fd, const char *source_name,
		const struct pack_options *options, const struct pack_config *config,
		enum oci_compression compression, const char *name, struct image_ref *ret) MUST_CHECK;

/* Whether `fd` is an ELF program without an interpreter: one that runs without any other file. */
bool pack_is_static_binary(int fd);
