/* oci/image-tables.c: the tables of the image documents. */
#include "oci/image.h"

static const struct type t_size = INT_RANGE("number", int64_t, 0, INT64_MAX);
static const struct type t_schema_version = UINT_RANGE("number", uint32_t, 2, 2);

/* RFC 6838: TYPE/SUBTYPE, each of a letter or digit and up to 126 more of a few kinds. */
static const char *check_media_type(const void *value)
{
	static const char word[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&^_.+-";
	const char *p = *(const char *const *)value;

	for (int part = 0; part < 2; part++) {
		size_t len = strspn(p, word);
		if (len == 0 || len > 127 || strchr("!#$&^_.+-", *p) || p[len] != "/"[part])
			return "is not a media type";
		p += len + 1;
	}
	return NULL;
}
static const struct type t_media_type = STRING_CHECKED("media type", check_media_type);

static const char *check_rootfs_type(const void *value)
{
	return str_equal(*(const char *const *)value, "layers") ? NULL : "is not 'layers'";
}
static const struct type t_rootfs_type = STRING_CHECKED("string", check_rootfs_type);

static const char *check_layout_version(const void *value)
{
	return str_equal(*(const char *const *)value, OCI_LAYOUT_VERSION) ? NULL
									  : "is not " OCI_LAYOUT_VERSION;
}
static const struct type t_layout_version = STRING_CHECKED("version", check_layout_version);

/* clang-format off */
static const struct field platform_fields[] = {
	FIELD(struct oci_platform, "architecture", architecture, t_string,  REQUIRED, NULL),
	FIELD(struct oci_platform, "os",           os,           t_string,  REQUIRED, NULL),
	FIELD(struct oci_platform, "os.version",   os_version,   t_string,  0,        NULL),
	FIELD(struct oci_platform, "os.features",  os_features,  t_strings, 0,        NULL),
	FIELD(struct oci_platform, "variant",      variant,      t_string,  0,        NULL),
	{0}
};
static const struct type t_platform = OBJECT("platform", struct oci_platform, platform_fields);
static const struct type opt_platform = OPTIONAL(t_platform);

static const struct field descriptor_fields[] = {
	FIELD(struct oci_descriptor, "mediaType",    media_type,    t_media_type, REQUIRED, NULL),
	FIELD(struct oci_descriptor, "digest",       digest,        t_digest,     REQUIRED, NULL),
	FIELD(struct oci_descriptor, "size",         size,          t_size,       REQUIRED, NULL),
	FIELD(struct oci_descriptor, "urls",         urls,          t_strings,    0,        NULL),
	FIELD(struct oci_descriptor, "annotations",  annotations,   t_string_map, 0,        NULL),
	FIELD(struct oci_descriptor, "data",         data,          t_string,     0,        NULL),
	FIELD(struct oci_descriptor, "platform",     platform,      opt_platform, 0,        NULL),
	FIELD(struct oci_descriptor, "artifactType", artifact_type, t_media_type, 0,        NULL),
	{0}
};
const struct type t_oci_descriptor = OBJECT("descriptor", struct oci_descriptor, descriptor_fields);
static const struct type opt_descriptor = OPTIONAL(t_oci_descriptor);
/* An artifact may have no layers, but must say so. */
static const struct type t_layers = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(struct oci_descriptors), .item = &t_oci_descriptor,
	.max = OCI_LAYERS_MAX, .flags = KEEP_EMPTY
};
/* An index of no manifests is one: a repository whose images are all gone. */
static const struct type t_manifests = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(struct oci_descriptors), .item = &t_oci_descriptor,
	.max = OCI_MANIFESTS_MAX, .flags = KEEP_EMPTY
};

static const struct field manifest_fields[] = {
	FIELD(struct oci_manifest, "schemaVersion", schema_version, t_schema_version, REQUIRED, NULL),
	FIELD(struct oci_manifest, "mediaType",     media_type,     t_media_type,     0,        NULL),
	FIELD(struct oci_manifest, "artifactType",  artifact_type,  t_media_type,     0,        NULL),
	FIELD(struct oci_manifest, "config",        config,         t_oci_descriptor, REQUIRED, NULL),
	FIELD(struct oci_manifest, "layers",        layers,         t_layers,         REQUIRED, NULL),
	FIELD(struct oci_manifest, "subject",       subject,        opt_descriptor,   0,        NULL),
	FIELD(struct oci_manifest, "annotations",   annotations,    t_string_map,     0,        NULL),
	{0}
};
const struct type t_oci_manifest = OBJECT("manifest", struct oci_manifest, manifest_fields);

static const struct field index_fields[] = {
	FIELD(struct oci_index, "schemaVersion", schema_version, t_schema_version, REQUIRED, NULL),
	FIELD(struct oci_index, "mediaType",     media_type,     t_media_type,     0,        NULL),
	FIELD(struct oci_index, "artifactType",  artifact_type,  t_media_type,     0,        NULL),
	FIELD(struct oci_index, "manifests",     manifests,      t_manifests,      REQUIRED, NULL),
	FIELD(struct oci_index, "subject",       subject,        opt_descriptor,   0,        NULL),
	FIELD(struct oci_index, "annotations",   annotations,    t_string_map,     0,        NULL),
	{0}
};
const struct type t_oci_index = OBJECT("index", struct oci_index, index_fields);

static const struct field no_fields[] = { {0} };
static const struct type t_nothing = { .kind = T_OBJECT, .name = "object", .size = sizeof(char), .fields = no_fields };
static const struct type t_name_set = MAP_OF(t_nothing, struct oci_name, unused);

static const struct field defaults_fields[] = {
	FIELD(struct oci_image_defaults, "User",         user,          t_string,     0, NULL),
	FIELD(struct oci_image_defaults, "ExposedPorts", exposed_ports, t_name_set,   0, NULL),
	FIELD(struct oci_image_defaults, "Env",          env,           t_strings,    0, NULL),
	FIELD(struct oci_image_defaults, "Entrypoint",   entrypoint,    t_strings,    0, NULL),
	FIELD(struct oci_image_defaults, "Cmd",          cmd,           t_strings,    0, NULL),
	FIELD(struct oci_image_defaults, "Volumes",      volumes,       t_name_set,   0, NULL),
	FIELD(struct oci_image_defaults, "WorkingDir",   working_dir,   t_string,     0, NULL),
	FIELD(struct oci_image_defaults, "Labels",       labels,        t_string_map, 0, NULL),
	FIELD(struct oci_image_defaults, "StopSignal",   stop_signal,   t_string,     0, NULL),
	KNOWN("ArgsEscaped", IGNORED), /* of Windows, obsolete */
	{0}
};
static const struct type t_defaults = OBJECT("config", struct oci_image_defaults, defaults_fields);

static const struct type t_diff_ids = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(struct strings), .item = &t_digest,
	.max = OCI_LAYERS_MAX, .flags = KEEP_EMPTY
};
static const struct field rootfs_fields[] = {
	FIELD(struct oci_rootfs, "type",     type,     t_rootfs_type, REQUIRED, NULL),
	FIELD(struct oci_rootfs, "diff_ids", diff_ids, t_diff_ids,    REQUIRED, NULL),
	{0}
};
static const struct type t_rootfs = OBJECT("rootfs", struct oci_rootfs, rootfs_fields);

static const struct field history_fields[] = {
	FIELD(struct oci_history, "created",     created,     t_string, 0,         NULL),
	FIELD(struct oci_history, "author",      author,      t_string, 0,         NULL),
	FIELD(struct oci_history, "created_by",  created_by,  t_string, 0,         NULL),
	FIELD(struct oci_history, "comment",     comment,     t_string, 0,         NULL),
	FIELD(struct oci_history, "empty_layer", empty_layer, t_bool,   OMIT_ZERO, NULL),
	{0}
};
static const struct type t_history_entry = OBJECT("history entry", struct oci_history, history_fields);
static const struct type t_history = ARRAY_OF(t_history_entry);

static const struct field image_fields[] = {
	FIELD(struct oci_image, "created",      created,      t_string,   0,         NULL),
	FIELD(struct oci_image, "author",       author,       t_string,   0,         NULL),
	FIELD(struct oci_image, "architecture", architecture, t_string,   REQUIRED,  NULL),
	FIELD(struct oci_image, "os",           os,           t_string,   REQUIRED,  NULL),
	FIELD(struct oci_image, "os.version",   os_version,   t_string,   0,         NULL),
	FIELD(struct oci_image, "os.features",  os_features,  t_strings,  0,         NULL),
	FIELD(struct oci_image, "variant",      variant,      t_string,   0,         NULL),
	FIELD(struct oci_image, "config",       config,       t_defaults, OMIT_ZERO, NULL),
	FIELD(struct oci_image, "rootfs",       rootfs,       t_rootfs,   REQUIRED,  NULL),
	FIELD(struct oci_image, "history",      history,      t_history,  0,         NULL),
	{0}
};
const struct type t_oci_image = OBJECT("image config", struct oci_image, image_fields);

static const struct field layout_fields[] = {
	FIELD(struct oci_layout, "imageLayoutVersion", version, t_layout_version, REQUIRED, NULL),
	{0}
};
const struct type t_oci_layout = OBJECT("image layout", struct oci_layout, layout_fields);

const struct oci_media oci_medias[] = {
	/* name                                                        kind               compression docker foreign */
	{ OCI_MEDIA_INDEX,                                             OCI_KIND_INDEX,    OCI_PLAIN, false, false },
	{ OCI_MEDIA_MANIFEST,                                          OCI_KIND_MANIFEST, OCI_PLAIN, false, false },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", OCI_KIND_INDEX,    OCI_PLAIN, true,  false },
	{ "application/vnd.docker.distribution.manifest.v2+json",      OCI_KIND_MANIFEST, OCI_PLAIN, true,  false },
	{ OCI_MEDIA_CONFIG,                                            OCI_KIND_CONFIG,   OCI_PLAIN, false, false },
	{ "application/vnd.docker.container.image.v1+json",            OCI_KIND_CONFIG,   OCI_PLAIN, true,  false },
	{ OCI_MEDIA_LAYER,                                             OCI_KIND_LAYER,    OCI_PLAIN, false, false },
	{ OCI_MEDIA_LAYER_GZIP,                                        OCI_KIND_LAYER,    OCI_GZIP,  false, false },
	{ OCI_MEDIA_LAYER_ZSTD,                                        OCI_KIND_LAYER,    OCI_ZSTD,  false, false },
	{ "application/vnd.docker.image.rootfs.diff.tar",              OCI_KIND_LAYER,    OCI_PLAIN, true,  false },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip",         OCI_KIND_LAYER,    OCI_GZIP,  true,  false },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd",         OCI_KIND_LAYER,    OCI_ZSTD,  true,  false },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar",      OCI_KIND_LAYER, OCI_PLAIN, false, true },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", OCI_KIND_LAYER, OCI_GZIP,  false, true },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", OCI_KIND_LAYER, OCI_ZSTD,  false, true },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",    OCI_KIND_LAYER, OCI_GZIP,  true,  true },
	{ NULL,                                                        OCI_KIND_OTHER,    OCI_PLAIN, false, false },
};
/* clang-format on */
