/* oci/image.h: the documents of an image: descriptor, manifest, index, layout, image config.
 * Spec: image-spec 1.1; Docker's "Image Manifest V 2, Schema 2", whose media types are synonyms.
 *
 * Every document comes from somebody else. Decoding refuses what could be read in two ways
 * (CVE-2021-41190) and what no honest tool writes: both `layers` and `manifests`, a mediaType that
 * differs from the transport's, negative sizes, digests that are not strictly formed, lists without
 * end. Whoever decodes has checked the bytes against their digest before. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"
#include "oci/digest.h"

#define OCI_MANIFEST_SIZE_MAX (4u << 20) /* bytes of a manifest, an index, an image config */
#define OCI_LAYERS_MAX        500        /* what one overlay mount can stack (OVL_MAX_STACK) */
#define OCI_MANIFESTS_MAX     4096       /* entries of an index */

#define OCI_MEDIA_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define OCI_MEDIA_INDEX       "application/vnd.oci.image.index.v1+json"
#define OCI_MEDIA_CONFIG      "application/vnd.oci.image.config.v1+json"
#define OCI_MEDIA_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define OCI_MEDIA_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_MEDIA_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define OCI_MEDIA_EMPTY       "application/vnd.oci.empty.v1+json"

enum oci_media_kind { OCI_KIND_OTHER, OCI_KIND_MANIFEST, OCI_KIND_INDEX, OCI_KIND_CONFIG, OCI_KIND_LAYER };
enum oci_compression { OCI_PLAIN, OCI_GZIP, OCI_ZSTD };

struct oci_media {
	const char *name;
	enum oci_media_kind kind;
	enum oci_compression compression; /* of a layer */
	bool docker;  /* Docker's name for it */
	bool foreign; /* non-distributable: the bytes may only lie behind `urls` */
};
/* Every media type that is known, ended by a NULL name: also what an Accept header lists. */
extern const struct oci_media oci_medias[];

/* The entry of a media type; parameters after ';' and the case do not count. Never NULL: an unknown
 * type is OCI_KIND_OTHER. */
const struct oci_media *oci_media(const char *media_type);

struct oci_platform {
	const char *architecture; /* "amd64", as Go names them */
	const char *os;
	const char *os_version;
	struct strings os_features;
	const char *variant;      /* "v7", or NULL */
};

struct oci_descriptor {
	const char *media_type;
	struct digest digest;
	int64_t size; /* bytes, 0 or more */
	struct strings urls; /* foreign places; never asked unless the user wants it */
	struct string_map annotations;
	const struct oci_platform *platform; /* in an index */
	const char *artifact_type;
	const char *data; /* base64 of the content, unchecked; or NULL */
};
struct oci_descriptors {
	struct oci_descriptor *items;
	size_t count;
};

struct oci_manifest {
	uint32_t schema_version; /* 2 */
	const char *media_type;  /* never NULL after decoding */
	const char *artifact_type;
	struct oci_descriptor config;
	struct oci_descriptors layers; /* the lowest first */
	const struct oci_descriptor *subject;
	struct string_map annotations;
};

struct oci_index {
	uint32_t schema_version;
	const char *media_type;
	const char *artifact_type;
	struct oci_descriptors manifests;
	const struct oci_descriptor *subject;
	struct string_map annotations;
};

/* A set of names, written {"80/tcp": {}}. */
struct oci_name {
	const char *name;
	char unused; /* the value, always an object without members */
};
struct oci_names {
	struct oci_name *items;
	size_t count;
};

struct oci_image_defaults { /* `config` of an image config: how to run it */
	const char *user; /* "1000:1000", "www-data" or NULL */
	struct oci_names exposed_ports;
	struct strings env;
	struct strings entrypoint, cmd;
	struct oci_names volumes;
	const char *working_dir;
	struct string_map labels;
	const char *stop_signal;
};
struct oci_rootfs {
	const char *type; /* "layers" */
	struct {
		struct digest *items;
		size_t count;
	} diff_ids;       /* digests of the uncompressed layers, the lowest first */
};
struct oci_history {
	const char *created, *author, *created_by, *comment;
	bool empty_layer;
};
struct oci_image {
	const char *created; /* RFC 3339, or NULL; not checked: it decides nothing */
	const char *author;
	const char *architecture, *os, *os_version;
	struct strings os_features;
	const char *variant;
	struct oci_image_defaults config;
	struct oci_rootfs rootfs;
	struct {
		struct oci_history *items;
		size_t count;
	} history;
};

struct oci_layout {
	const char *version; /* "1.0.0" */
};
#define OCI_LAYOUT_VERSION "1.0.0"

extern const struct type t_oci_descriptor, t_oci_manifest, t_oci_index, t_oci_image, t_oci_layout;

/* Decode a document.
 *   name        what errors call it: a reference, a digest, a file name
 *   media_type  what the transport or the descriptor said it is, parameters allowed; NULL where
 *               nobody said
 * EINVAL for all refusals, EFBIG for one that is too large. */
err *oci_manifest_decode(struct arena *arena, const char *name, const char *media_type, const char *text,
			 size_t len, const struct oci_manifest **ret) MUST_CHECK;
err *oci_index_decode(struct arena *arena, const char *name, const char *media_type, const char *text,
		      size_t len, const struct oci_index **ret) MUST_CHECK;
err *oci_image_decode(struct arena *arena, const char *name, const char *text, size_t len,
		      const struct oci_image **ret) MUST_CHECK;
err *oci_descriptor_decode(struct arena *arena, const char *name, const char *text, size_t len,
			   const struct oci_descriptor **ret) MUST_CHECK;
err *oci_layout_decode(struct arena *arena, const char *name, const char *text, size_t len,
		       const struct oci_layout **ret) MUST_CHECK;

/* Whether a document that came as `media_type` (NULL: unknown) is a manifest or an index, from the
 * type and, where that does not say, from its mediaType member or its only possible shape. EINVAL
 * when it is neither, or both. */
err *oci_document_kind(const char *name, const char *media_type, const char *text, size_t len,
		       enum oci_media_kind *ret) MUST_CHECK;

/* One line, no spaces, the order of the tables: same input, same bytes, so the same digest. */
void oci_manifest_encode(struct str *out, const struct oci_manifest *manifest);
void oci_index_encode(struct str *out, const struct oci_index *index);
void oci_image_encode(struct str *out, const struct oci_image *image);
void oci_descriptor_encode(struct str *out, const struct oci_descriptor *descriptor, unsigned indent);
void oci_layout_encode(struct str *out);

/* What a manifest and its config must be to be run: one layer or more, all of known types and none
 * foreign (its bytes lie where the manifest's author says), a diff-id for each. EINVAL with the
 * numbers. To be called before a layer is fetched. */
err *oci_image_check(const struct oci_manifest *manifest, const struct oci_image *image) MUST_CHECK;

/* ---- platforms ---- */

/* The platform of this machine: linux, its architecture, and the variant on arm. */
const struct oci_platform *oci_platform_host(void);

/* Parse "OS/ARCH[/VARIANT]", or "ARCH" alone for linux; uname(2)'s names are understood ("x86_64").
 * The result lives in the arena. EINVAL. */
err *oci_platform_parse(struct arena *arena, const char *text, struct oci_platform *ret) MUST_CHECK;

/* "linux/arm/v7" into `out`. */
void oci_platform_format(const struct oci_platform *p, struct str *out);

/* How well an image for `offer` runs where `want` is asked for: 0 not at all; more is better. An arm
 * v7 machine runs v7, v6 and v5, in this order, and arm without variant is v7; arm64 without variant
 * is v8, amd64 is v1, and neither takes an offer of a later variant. Case does not count. */
unsigned oci_platform_match(const struct oci_platform *want, const struct oci_platform *offer);

/* The manifest of an index for `want`: the best match, the first of equals. Entries that are no
 * manifests or indexes, or of an unknown platform (attestations), are passed over; an entry without
 * platform is taken only when nothing matches and no other entry has none. ENOENT names what the
 * index offers. The result points into `index`. */
err *oci_index_choose(const struct oci_index *index, const struct oci_platform *want,
		      const struct oci_descriptor **ret) MUST_CHECK;
