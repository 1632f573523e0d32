/* oci/image.c: decoding and encoding the documents of an image. */
#include "oci/image.h"

#include <ctype.h>
#include <stdarg.h>
#include <strings.h>

/* Length of a media type without "; charset=utf-8" and spaces around it. */
static size_t media_length(const char *text)
{
	size_t len = strcspn(text, ";");

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	return len;
}

static bool same_media(const char *a, const char *b)
{
	size_t len = media_length(a);

	return len == media_length(b) && strncasecmp(a, b, len) == 0;
}

const struct oci_media *oci_media(const char *media_type)
{
	const struct oci_media *m = oci_medias;

	while (m->name && !same_media(m->name, media_type))
		m++;
	return m;
}

static err *refuse(const char *name, const char *fmt, ...) PRINTF(2, 3);
static err *refuse(const char *name, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(4096);
	va_list ap;

	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	return err_new(EINVAL, "%s: %s", name, text.data);
}

/* CVE-2021-41190: one document, two readings. Whatever it calls itself, a manifest has `config` and
 * `layers`, an index has `manifests`, and neither has the other's. */
static err *check_shape(const char *name, const json *tree)
{
	bool manifest = json_get(tree, "layers") || json_get(tree, "config");
	bool index = json_get(tree, "manifests");

	if (manifest && index)
		return refuse(name, "is a manifest and an index at once");
	if (json_get(tree, "fsLayers") || json_get(tree, "signatures"))
		return refuse(name, "is a manifest of schema version 1, which is not supported");
	return NULL;
}

/* What the transport said, what the document says, and what is expected must agree. `said` may be
 * NULL. *ret_type is the document's media type. */
static err *check_type(struct arena *arena, const char *name, const char *said, const json *tree,
		       enum oci_media_kind expected, const char **ret_type)
{
	const char *member = json_get_string(tree, "mediaType");
	const char *type = member ? member : said;
	const char *word = expected == OCI_KIND_MANIFEST ? "manifest" : "index";

	if (said && member && !same_media(said, member))
		return refuse(name, "came as '%.*s', but its mediaType is '%.200s'", (int)media_length(said),
			      said, member);
	if (!type)
		type = expected == OCI_KIND_MANIFEST ? OCI_MEDIA_MANIFEST : OCI_MEDIA_INDEX;
	if (oci_media(type)->kind != expected)
		return refuse(name, "'%.*s' is not the media type of an image %s", (int)media_length(type),
			      type, word);
	TRY_ALLOC(arena, *ret_type, arena_strndup(arena, type, media_length(type)));
	return NULL;
}

static err *parse(struct arena *arena, const char *name, const char *text, size_t len, json **ret)
{
	if (len > OCI_MANIFEST_SIZE_MAX)
		return err_new(EFBIG, "%s: larger than %u bytes", name, OCI_MANIFEST_SIZE_MAX);
	return json_parse(arena, name, text, len, ret);
}

/* What has a manifest's or an index's media type: shape and type are known good before a field is looked at.
 */
static err *decode_typed(struct arena *arena, const char *name, const struct type *type,
			 enum oci_media_kind kind, const char *said, const char *text, size_t len,
			 void *value, const char **ret_media_type)
{
	struct decoder d = { .arena = arena, .name = name };
	const char *media_type = NULL;
	json *tree = NULL;

	TRY(parse(arena, name, text, len, &tree));
	TRY(check_shape(name, tree));
	TRY(check_type(arena, name, said, tree, kind, &media_type));
	TRY(decode_tree(&d, type, NULL, tree, value));
	*ret_media_type = media_type;
	return NULL;
}

err *oci_manifest_decode(struct arena *arena, const char *name, const char *media_type, const char *text,
			 size_t len, const struct oci_manifest **ret)
{
	struct oci_manifest *manifest;

	TRY_ALLOC(arena, manifest, arena_alloc(arena, sizeof *manifest));
	TRY(decode_typed(arena, name, &t_oci_manifest, OCI_KIND_MANIFEST, media_type, text, len, manifest,
			 &manifest->media_type));
	*ret = manifest;
	return NULL;
}

err *oci_index_decode(struct arena *arena, const char *name, const char *media_type, const char *text,
		      size_t len, const struct oci_index **ret)
{
	struct oci_index *index;

	TRY_ALLOC(arena, index, arena_alloc(arena, sizeof *index));
	TRY(decode_typed(arena, name, &t_oci_index, OCI_KIND_INDEX, media_type, text, len, index,
			 &index->media_type));
	*ret = index;
	return NULL;
}

err *oci_document_kind(const char *name, const char *media_type, const char *text, size_t len,
		       enum oci_media_kind *ret)
{
	auto_arena struct arena *arena = NULL;
	json *tree = NULL;

	TRY(arena_new(64u << 20, &arena));
	TRY(parse(arena, name, text, len, &tree));
	TRY(check_shape(name, tree));
	const char *member = json_get_string(tree, "mediaType");
	enum oci_media_kind kind = oci_media(media_type ? media_type : "")->kind;
	if (kind == OCI_KIND_OTHER)
		kind = oci_media(member ? member : "")->kind;
	if (kind == OCI_KIND_OTHER && !member)
		kind = json_get(tree, "manifests") ? OCI_KIND_INDEX
		       : json_get(tree, "layers")  ? OCI_KIND_MANIFEST
						   : OCI_KIND_OTHER;
	if (kind == OCI_KIND_MANIFEST || kind == OCI_KIND_INDEX) {
		*ret = kind;
		return NULL;
	}
	if (!member && !media_type)
		return refuse(name, "is neither an image manifest nor an index");
	return refuse(name, "'%.200s' is neither an image manifest nor an index",
		      member ? member : media_type);
}

/* The documents without a second reading. */
static err *decode_plain(struct arena *arena, const char *name, const struct type *type, const char *text,
			 size_t len, void *value)
{
	struct decoder d = { .arena = arena, .name = name };
	json *tree = NULL;

	TRY(parse(arena, name, text, len, &tree));
	return decode_tree(&d, type, NULL, tree, value);
}

err *oci_image_decode(struct arena *arena, const char *name, const char *text, size_t len,
		      const struct oci_image **ret)
{
	struct oci_image *image;

	TRY_ALLOC(arena, image, arena_alloc(arena, sizeof *image));
	TRY(decode_plain(arena, name, &t_oci_image, text, len, image));
	*ret = image;
	return NULL;
}

err *oci_descriptor_decode(struct arena *arena, const char *name, const char *text, size_t len,
			   const struct oci_descriptor **ret)
{
	struct oci_descriptor *descriptor;

	TRY_ALLOC(arena, descriptor, arena_alloc(arena, sizeof *descriptor));
	TRY(decode_plain(arena, name, &t_oci_descriptor, text, len, descriptor));
	*ret = descriptor;
	return NULL;
}

err *oci_layout_decode(struct arena *arena, const char *name, const char *text, size_t len,
		       const struct oci_layout **ret)
{
	struct oci_layout *layout;

	TRY_ALLOC(arena, layout, arena_alloc(arena, sizeof *layout));
	TRY(decode_plain(arena, name, &t_oci_layout, text, len, layout));
	*ret = layout;
	return NULL;
}

void oci_manifest_encode(struct str *out, const struct oci_manifest *manifest)
{
	encode_text(out, &t_oci_manifest, manifest, 0);
}

void oci_index_encode(struct str *out, const struct oci_index *index)
{
	encode_text(out, &t_oci_index, index, 0);
}

void oci_image_encode(struct str *out, const struct oci_image *image)
{
	encode_text(out, &t_oci_image, image, 0);
}

void oci_descriptor_encode(struct str *out, const struct oci_descriptor *descriptor, unsigned indent)
{
	encode_text(out, &t_oci_descriptor, descriptor, indent);
}

void oci_layout_encode(struct str *out)
{
	static const struct oci_layout layout = { .version = OCI_LAYOUT_VERSION };

	encode_text(out, &t_oci_layout, &layout, 0);
}

err *oci_image_check(const struct oci_manifest *manifest, const struct oci_image *image)
{
	if (manifest->layers.count == 0)
		return err_new(EINVAL, "layers: an image needs at least one");
	if (manifest->layers.count != image->rootfs.diff_ids.count)
		return err_new(EINVAL, "the manifest has %zu layers, the image config %zu diff-ids",
			       manifest->layers.count, image->rootfs.diff_ids.count);
	for (size_t i = 0; i < manifest->layers.count; i++) {
		const char *type = manifest->layers.items[i].media_type;
		const struct oci_media *media = oci_media(type);

		if (media->kind != OCI_KIND_LAYER)
			return err_new(EINVAL, "layers[%zu].mediaType: '%.200s' is not a layer of an image",
				       i, type);
		if (media->foreign)
			return err_new(EINVAL, "layers[%zu].mediaType: '%.200s' lies outside of the registry",
				       i, type);
	}
	return NULL;
}
