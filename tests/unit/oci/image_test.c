/* tests/unit/oci/image_test.c: image documents have one reading, and the same bytes each time. */
#include "tests/unit/unit.h"

#include "oci/image.h"

#define HEX0 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX1 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define D0   "sha256:" HEX0
#define D1   "sha256:" HEX1

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define CONFIG_DESC     "{\"mediaType\":\"" OCI_MEDIA_CONFIG "\",\"digest\":\"" D0 "\",\"size\":2}"
#define LAYER_DESC      "{\"mediaType\":\"" OCI_MEDIA_LAYER_GZIP "\",\"digest\":\"" D1 "\",\"size\":3}"
#define MANIFEST        "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_MANIFEST "\",\"config\":" CONFIG_DESC \
	",\"layers\":[" LAYER_DESC "]}"
#define INDEX           "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_INDEX "\",\"manifests\":[]}"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(16 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static err *manifest(const char *type, const char *text, const struct oci_manifest **ret)
{
	return oci_manifest_decode(arena, "m", type, text, strlen(text), ret);
}

static err *index_of(const char *type, const char *text, const struct oci_index **ret)
{
	return oci_index_decode(arena, "i", type, text, strlen(text), ret);
}

static err *image(const char *text, const struct oci_image **ret)
{
	return oci_image_decode(arena, "c", text, strlen(text), ret);
}

static void test_a_manifest_reads_back_as_written(void **state)
{
	(void)state;
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_MANIFEST "\",\"artifactType\":\"text/x\","
		"\"config\":" CONFIG_DESC ",\"layers\":[" LAYER_DESC ","
		"{\"mediaType\":\"" OCI_MEDIA_LAYER "\",\"digest\":\"" D0 "\",\"size\":9223372036854775807,"
		"\"urls\":[\"https://example.org/x\"],\"annotations\":{\"a\":\"b\"},\"data\":\"e30=\","
		"\"artifactType\":\"application/a.b+c\"}],"
		"\"subject\":" CONFIG_DESC ",\"annotations\":{\"org.opencontainers.image.title\":\"x\"}}";
	const struct oci_manifest *m;
	auto_str struct str out = STR_INIT(1 << 16);
	char hex[DIGEST_HEX_MAX];

	assert_ok(manifest(OCI_MEDIA_MANIFEST, text, &m));
	assert_string_equal(digest_hex(&m->layers.items[0].digest, hex), HEX1);
	assert_true(m->layers.items[1].size == INT64_MAX);
	oci_manifest_encode(&out, m);
	assert_string_equal(out.data, text);
}

static void test_an_index_and_an_image_read_back_as_written(void **state)
{
	(void)state;
	static const char index_text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_INDEX "\",\"manifests\":[{\"mediaType\":\"" OCI_MEDIA_MANIFEST
		"\",\"digest\":\"" D0 "\",\"size\":7,\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\","
		"\"os.version\":\"1\",\"os.features\":[\"f\"],\"variant\":\"v7\"}}]}";
	static const char image_text[] =
		"{\"created\":\"0001-01-01T00:00:00Z\",\"author\":\"a\",\"architecture\":\"amd64\",\"os\":\"linux\","
		"\"config\":{\"User\":\"1000:1000\",\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},\"Env\":[\"A=b\"],"
		"\"Entrypoint\":[\"/x\"],\"Cmd\":[\"\"],\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/srv\","
		"\"Labels\":{\"k\":\"v\"},\"StopSignal\":\"SIGTERM\"},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D0 "\"]},"
		"\"history\":[{\"created\":\"x\",\"created_by\":\"pack\"},{\"empty_layer\":true}]}";
	const struct oci_index *i;
	const struct oci_image *c;
	auto_str struct str out = STR_INIT(1 << 16);

	assert_ok(index_of(OCI_MEDIA_INDEX, index_text, &i));
	oci_index_encode(&out, i);
	assert_string_equal(out.data, index_text);
	str_clear(&out);
	assert_ok(image(image_text, &c));
	assert_string_equal(c->config.exposed_ports.items[1].name, "53/udp");
	oci_image_encode(&out, c);
	assert_string_equal(out.data, image_text);
	str_clear(&out);
	oci_layout_encode(&out);
	assert_string_equal(out.data, "{\"imageLayoutVersion\":\"1.0.0\"}");
}

static void test_a_document_of_two_readings_is_refused(void **state)
{
	(void)state;
	/* CVE-2021-41190: what the transport says, what the document says, what shape it has. */
	static const struct { bool as_index; const char *type, *text, *error; } rows[] = {
		{ false, OCI_MEDIA_MANIFEST, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[],\"manifests\":[]}",
		  "m: is a manifest and an index at once" },
		{ true, OCI_MEDIA_INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}",
		  "i: is a manifest and an index at once" },
		{ true, OCI_MEDIA_INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"config\":{}}",
		  "i: is a manifest and an index at once" },
		{ false, OCI_MEDIA_INDEX, MANIFEST,
		  "m: came as '" OCI_MEDIA_INDEX "', but its mediaType is '" OCI_MEDIA_MANIFEST "'" },
		{ false, DOCKER_MANIFEST, MANIFEST,
		  "m: came as '" DOCKER_MANIFEST "', but its mediaType is '" OCI_MEDIA_MANIFEST "'" },
		{ true, OCI_MEDIA_MANIFEST, INDEX,
		  "i: came as '" OCI_MEDIA_MANIFEST "', but its mediaType is '" OCI_MEDIA_INDEX "'" },
		{ false, OCI_MEDIA_INDEX, INDEX, "m: '" OCI_MEDIA_INDEX "' is not the media type of an image manifest" },
		{ true, DOCKER_MANIFEST "; charset=utf-8", "{\"schemaVersion\":2,\"manifests\":[]}",
		  "i: '" DOCKER_MANIFEST "' is not the media type of an image index" },
		{ false, "text/html", "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[]}",
		  "m: 'text/html' is not the media type of an image manifest" },
		{ false, NULL, "{\"schemaVersion\":1,\"fsLayers\":[],\"signatures\":[]}",
		  "m: is a manifest of schema version 1, which is not supported" },
		{ false, NULL, "{\"layers\":[],\"layers\":[]}", "m:1:23: duplicate key 'layers'" },
		{ false, NULL, MANIFEST "x", NULL },
		{ false, NULL, "\xef\xbb\xbf" MANIFEST, NULL },
		{ false, NULL, "[" MANIFEST "]", "m:1:1: expected object, got array" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct oci_manifest *m;
		const struct oci_index *x;
		err *e = rows[i].as_index ? index_of(rows[i].type, rows[i].text, &x) : manifest(rows[i].type, rows[i].text, &m);

		if (rows[i].error)
			assert_err(e, rows[i].error);
		else
			assert_err_code(e, EINVAL);
	}
}

static void test_dockers_media_types_are_synonyms(void **state)
{
	(void)state;
	const struct oci_manifest *m;
	const struct oci_index *i;

	assert_ok(manifest(DOCKER_MANIFEST, "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER_MANIFEST "\",\"config\":" CONFIG_DESC
			   ",\"layers\":[]}", &m));
	assert_string_equal(m->media_type, DOCKER_MANIFEST);
	assert_ok(index_of(DOCKER_LIST "; charset=utf-8", "{\"schemaVersion\":2,\"manifests\":[]}", &i));
	assert_string_equal(i->media_type, DOCKER_LIST);
	assert_ok(manifest(NULL, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[]}", &m));
	assert_string_equal(m->media_type, OCI_MEDIA_MANIFEST);
	assert_ok(manifest("Application/vnd.OCI.image.manifest.v1+json ; a=b", MANIFEST, &m));
	assert_int_equal(oci_media("application/vnd.docker.image.rootfs.diff.tar.gzip")->compression, OCI_GZIP);
	assert_int_equal(oci_media(OCI_MEDIA_LAYER_ZSTD)->compression, OCI_ZSTD);
	assert_true(oci_media("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")->foreign);
	assert_int_equal(oci_media("application/json")->kind, OCI_KIND_OTHER);
	assert_int_equal(oci_media("")->kind, OCI_KIND_OTHER);
}

#define LAYER_WITH(members) "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[{" members "}]}"

static void test_wrong_manifests_are_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "{\"config\":" CONFIG_DESC ",\"layers\":[]}", "m:1:1: schemaVersion: required but missing" },
		{ "{\"schemaVersion\":1,\"config\":" CONFIG_DESC ",\"layers\":[]}",
		  "m:1:18: schemaVersion: 1 is not a whole number from 2 to 2" },
		{ "{\"schemaVersion\":2,\"layers\":[]}", "m:1:1: config: required but missing" },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_DESC "}", "m:1:1: layers: required but missing" },
		{ LAYER_WITH("\"digest\":\"" D0 "\",\"size\":1"), "m:1:188: layers[0].mediaType: required but missing" },
		{ LAYER_WITH("\"mediaType\":\"gzip\",\"digest\":\"" D0 "\",\"size\":1"),
		  "m:1:201: layers[0].mediaType: 'gzip' is not a media type" },
		{ LAYER_WITH("\"mediaType\":\"a/b/c\",\"digest\":\"" D0 "\",\"size\":1"),
		  "m:1:201: layers[0].mediaType: 'a/b/c' is not a media type" },
		{ LAYER_WITH("\"mediaType\":\"a/b\",\"size\":1"), "m:1:188: layers[0].digest: required but missing" },
		{ LAYER_WITH("\"mediaType\":\"a/b\",\"digest\":\"sha256:../../etc/passwd\",\"size\":1"),
		  "m:1:216: layers[0].digest: 'sha256:../../etc/passwd' must have 64 lower-case hexadecimal digits" },
		{ LAYER_WITH("\"mediaType\":\"a/b\",\"digest\":\"" D0 "\""),
		  "m:1:188: layers[0].size: required but missing" },
		{ LAYER_WITH("\"mediaType\":\"a/b\",\"digest\":\"" D0 "\",\"size\":-1"),
		  "m:1:297: layers[0].size: -1 is not a whole number from 0 to 9223372036854775807" },
		{ LAYER_WITH("\"mediaType\":\"a/b\",\"digest\":\"" D0 "\",\"size\":9223372036854775808"),
		  "m:1:297: layers[0].size: 9223372036854775808 is not a whole number from 0 to 9223372036854775807" },
		{ LAYER_WITH("\"mediaType\":\"a/b\",\"digest\":\"" D0 "\",\"size\":1e3"),
		  "m:1:297: layers[0].size: 1e3 is not a whole number from 0 to 9223372036854775807" },
	};
	const struct oci_manifest *m;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err(manifest(NULL, rows[i].text, &m), rows[i].error);
}

static void test_lists_have_an_end(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(8 << 20);
	const struct oci_manifest *m;
	auto_arena struct arena *large = NULL;

	for (int extra = 0; extra < 2; extra++) {
		str_clear(&text);
		str_add(&text, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[");
		for (int i = 0; i < OCI_LAYERS_MAX + extra; i++)
			str_addf(&text, "%s%s", i ? "," : "", LAYER_DESC);
		str_add(&text, "]}");
		if (extra)
			assert_err(manifest(NULL, text.data, &m), "m:1:187: layers: more than 500 items");
		else
			assert_ok(manifest(NULL, text.data, &m));
	}
	while (text.len <= OCI_MANIFEST_SIZE_MAX)
		str_add(&text, "                                                                ");
	assert_ok(arena_new(64 << 20, &large));
	assert_err(oci_manifest_decode(large, "m", NULL, text.data, text.len, &m), "m: larger than 4194304 bytes");
}

static void test_the_kind_of_a_document_is_found_once(void **state)
{
	(void)state;
	static const struct { const char *type, *text; enum oci_media_kind kind; } rows[] = {
		{ OCI_MEDIA_MANIFEST, MANIFEST, OCI_KIND_MANIFEST },
		{ NULL, MANIFEST, OCI_KIND_MANIFEST },
		{ "application/json", MANIFEST, OCI_KIND_MANIFEST },
		{ NULL, INDEX, OCI_KIND_INDEX },
		{ NULL, "{\"manifests\":[]}", OCI_KIND_INDEX },
		{ NULL, "{\"layers\":[]}", OCI_KIND_MANIFEST },
		{ DOCKER_LIST, "{}", OCI_KIND_INDEX },
	};
	enum oci_media_kind kind;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_ok(oci_document_kind("d", rows[i].type, rows[i].text, strlen(rows[i].text), &kind));
		assert_int_equal(kind, rows[i].kind);
	}
	assert_err(oci_document_kind("d", NULL, "{}", 2, &kind),
		   "d: is neither an image manifest nor an index");
	assert_err(oci_document_kind("d", "text/html", "{}", 2, &kind),
		   "d: 'text/html' is neither an image manifest nor an index");
	assert_err(oci_document_kind("d", NULL, "{\"mediaType\":\"a/b\",\"layers\":[]}", 31, &kind),
		   "d: 'a/b' is neither an image manifest nor an index");
	assert_err(oci_document_kind("d", NULL, "{\"manifests\":[],\"layers\":[]}", 28, &kind),
		   "d: is a manifest and an index at once");
}

static void test_image_configs_of_all_makers_decode(void **state)
{
	(void)state;
	const struct oci_image *c;

	/* Go writes absent lists as null; Docker adds members of its own. */
	assert_ok(image("{\"architecture\":\"amd64\",\"os\":\"linux\",\"container\":\"x\",\"docker_version\":\"20\","
			"\"config\":{\"Hostname\":\"\",\"Env\":null,\"Cmd\":null,\"Volumes\":null,\"Labels\":null,"
			"\"OnBuild\":[],\"ArgsEscaped\":true,\"ExposedPorts\":{\"80/tcp\":null}},"
			"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D0 "\"]},\"history\":null}", &c));
	assert_int_equal(c->config.cmd.count, 0);
	assert_string_equal(c->config.exposed_ports.items[0].name, "80/tcp");
	assert_null(c->config.user);
	assert_ok(image("{\"architecture\":\"\",\"os\":\"\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", &c));
	assert_err(image("{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", &c),
		   "c:1:1: architecture: required but missing");
	assert_err(image("{\"architecture\":\"a\",\"os\":\"l\"}", &c), "c:1:1: rootfs: required but missing");
	assert_err(image("{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"files\",\"diff_ids\":[]}}", &c),
		   "c:1:47: rootfs.type: 'files' is not 'layers'");
	assert_err(image("{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}", &c),
		   "c:1:68: rootfs.diff_ids[0]: 'x' has no algorithm");
	assert_err(image("{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},"
			 "\"config\":{\"Env\":\"A=b\"}}", &c), "c:1:87: config.Env: expected array, got string");
}

static void test_layers_and_diff_ids_must_agree(void **state)
{
	(void)state;
#define IMAGE(ids) "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" ids "]}}"
#define LAYERS(list) "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[" list "]}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"" D1 "\",\"size\":3}"
	static const struct { const char *manifest, *image, *error; } rows[] = {
		{ LAYERS(LAYER_DESC), IMAGE("\"" D0 "\""), NULL },
		{ LAYERS(LAYER_DESC), IMAGE(""), "the manifest has 1 layers, the image config 0 diff-ids" },
		{ LAYERS(LAYER_DESC), IMAGE("\"" D0 "\",\"" D0 "\""),
		  "the manifest has 1 layers, the image config 2 diff-ids" },
		{ LAYERS(""), IMAGE(""), "layers: an image needs at least one" },
		{ LAYERS(LAYER("application/octet-stream")), IMAGE("\"" D0 "\""),
		  "layers[0].mediaType: 'application/octet-stream' is not a layer of an image" },
		{ LAYERS(LAYER("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")), IMAGE("\"" D0 "\""),
		  "layers[0].mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' lies outside of the "
		  "registry" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct oci_manifest *m;
		const struct oci_image *c;

		assert_ok(manifest(NULL, rows[i].manifest, &m));
		assert_ok(image(rows[i].image, &c));
		if (rows[i].error)
			assert_err(oci_image_check(m, c), rows[i].error);
		else
			assert_ok(oci_image_check(m, c));
	}
}

static void test_a_layout_has_the_one_version(void **state)
{
	(void)state;
	const struct oci_layout *l;

	assert_ok(oci_layout_decode(arena, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30, &l));
	assert_err(oci_layout_decode(arena, "oci-layout", "{\"imageLayoutVersion\":\"1.1.0\"}", 30, &l),
		   "oci-layout:1:23: imageLayoutVersion: '1.1.0' is not 1.0.0");
	assert_err(oci_layout_decode(arena, "oci-layout", "{}", 2, &l),
		   "oci-layout:1:1: imageLayoutVersion: required but missing");
}

static void test_a_descriptor_stands_alone(void **state)
{
	(void)state;
	const struct oci_descriptor *d;
	auto_str struct str out = STR_INIT(4096);

	assert_ok(oci_descriptor_decode(arena, "d", LAYER_DESC, strlen(LAYER_DESC), &d));
	oci_descriptor_encode(&out, d, 0);
	assert_string_equal(out.data, LAYER_DESC);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_a_manifest_reads_back_as_written),
		TEST(test_an_index_and_an_image_read_back_as_written),
		TEST(test_a_document_of_two_readings_is_refused),
		TEST(test_dockers_media_types_are_synonyms),
		TEST(test_wrong_manifests_are_refused),
		TEST(test_lists_have_an_end),
		TEST(test_the_kind_of_a_document_is_found_once),
		TEST(test_image_configs_of_all_makers_decode),
		TEST(test_layers_and_diff_ids_must_agree),
		TEST(test_a_layout_has_the_one_version),
		TEST(test_a_descriptor_stands_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
