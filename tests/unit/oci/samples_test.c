/* tests/unit/oci/samples_test.c: the specification's own samples: the good decode, the bad are refused.
 * They lie in STUBE_SHARED (by default ../shared), which is not part of the project. With
 * STUBE_SAMPLES_OUT=DIR, what decodes is encoded into DIR, for tests/integration/oci-schema.bats. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/file.h"
#include "oci/config.h"
#include "oci/features.h"
#include "oci/image.h"
#include "oci/state.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(64 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* "DATA/runtime-spec/test" or, where it is missing, no return. */
static const char *samples(char path[static PATH_MAX])
{
	const char *shared = getenv("STUBE_SHARED");

	snprintf(path, PATH_MAX, "%s/data/runtime-spec/test", shared ? shared : "../shared");
	if (access(path, R_OK) != 0) {
		print_message("the specification's samples are not at %s\n", path);
		skip();
	}
	return path;
}

/* A decoded document as text; all take the file's name as the document's. */
typedef err *sample_decode(const char *name, const struct str *text, struct str *out);

static err *decode_config(const char *name, const struct str *text, struct str *out)
{
	const struct oci_config *c;

	TRY(oci_config_decode(arena, name, text->data, text->len, NULL, &c));
	oci_config_encode(out, c, 2);
	return NULL;
}

static err *decode_state(const char *name, const struct str *text, struct str *out)
{
	const struct oci_state *s;

	TRY(oci_state_decode(arena, name, text->data, text->len, &s));
	oci_state_encode(out, s, 2);
	return NULL;
}

static err *decode_features(const char *name, const struct str *text, struct str *out)
{
	const struct oci_features *f;

	TRY(oci_features_decode(arena, name, text->data, text->len, &f));
	oci_features_encode(out, f, 2);
	return NULL;
}

static void write_out(const char *kind, const char *name, const struct str *text)
{
	const char *dir = getenv("STUBE_SAMPLES_OUT");
	char path[PATH_MAX];

	if (!dir)
		return;
	snprintf(path, sizeof path, "%s/%s-%s", dir, kind, name);
	assert_ok(file_replace(AT_FDCWD, path, text->data, text->len, 0644));
}

/* What this runtime refuses although the schema takes it: rules beyond the schema, other systems. */
static const struct {
	const char *name, *error;
} refused[] = {
	{ "config/freebsd-example.json", "freebsd-example.json:3:16: process.user: required but missing" },
	{ "config/freebsd-minimal.json", "freebsd-minimal.json:6:16: freebsd: is for another system, and linux.namespaces says nothing for this one" },
	{ "config/zos-example.json", "zos-example.json:2:19: ociVersion: '0.5.0-dev' is not supported; this runtime knows 1.0.0 to 1.3.0" },
	{ "config/zos-minimal.json", "zos-minimal.json:6:12: zos: is for another system, and linux.namespaces says nothing for this one" },
	{ "config/spec-example.json", "spec-example.json:2:19: ociVersion: '0.5.0-dev' is not supported; this runtime knows "
			       "1.0.0 to 1.3.0" },
	{ "config/linux-netdevice.json", "linux-netdevice.json:7:23: linux.netDevices: needs a network namespace" },
};

static const char *expected_refusal(const char *kind, const char *name)
{
	size_t len = strlen(kind);

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (strncmp(refused[i].name, kind, len) == 0 && strcmp(refused[i].name + len + 1, name) == 0)
			return refused[i].error;
	return NULL;
}

static void check_sample(const char *dir, const char *kind, const char *name, bool good, sample_decode *decode)
{
	auto_str struct str text = STR_INIT(1 << 20), out = STR_INIT(1 << 20);
	char path[2 * PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_ok(file_read(AT_FDCWD, path, &text));
	const char *refusal = good ? expected_refusal(kind, name) : NULL;
	err *e = decode(name, &text, &out);
	if (refusal) {
		assert_err(e, refusal);
	} else if (good) {
		assert_ok(e);
		write_out(kind, name, &out);
	} else {
		assert_err_code(e, EINVAL);
	}
}

static size_t check_samples(const char *kind, const char *quality, sample_decode *decode)
{
	char base[PATH_MAX], path[2 * PATH_MAX];
	size_t count = 0;

	snprintf(path, sizeof path, "%s/%s/%s", samples(base), kind, quality);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		check_sample(path, kind, entry->d_name, strcmp(quality, "good") == 0, decode);
		count++;
	}
	closedir(dir);
	return count;
}

static void test_good_configs_decode(void **state)
{
	(void)state;
	assert_true(check_samples("config", "good", decode_config) >= 9);
}

static void test_bad_configs_are_refused(void **state)
{
	(void)state;
	assert_true(check_samples("config", "bad", decode_config) >= 5);
}

static void test_good_states_and_features_decode(void **state)
{
	(void)state;
	assert_true(check_samples("state", "good", decode_state) >= 1);
	assert_true(check_samples("features", "good", decode_features) >= 2);
}

static void test_bad_states_and_features_are_refused(void **state)
{
	(void)state;
	assert_true(check_samples("state", "bad", decode_state) >= 1);
	assert_true(check_samples("features", "bad", decode_features) >= 1);
}

/* The large sample is of a version before 1; with a version of today it must decode whole. */
static void test_the_specifications_large_example_decodes_under_a_version_of_today(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 20), out = STR_INIT(1 << 20);
	char base[PATH_MAX], path[2 * PATH_MAX];

	snprintf(path, sizeof path, "%s/config/good/spec-example.json", samples(base));
	assert_ok(file_read(AT_FDCWD, path, &text));
	memcpy(strstr(text.data, "\"0.5.0-dev\""), "\"1.0.2-dev\"", 11);
	assert_ok(decode_config("spec-example.json", &text, &out));
	write_out("config", "spec-example-1.json", &out);
}

/* Documents of images have no samples: what their encoders write goes to the schemas. */
static void test_image_documents_are_written_for_the_schemas(void **state)
{
	(void)state;
	struct digest d;
	struct oci_name port = { .name = "80/tcp" };
	const char *word = "A=b";
	struct string_pair pair = { "org.example", "x" };
	assert_ok(digest_of(DIGEST_SHA512, "abc", 3, &d));
	struct oci_descriptor config = { .media_type = OCI_MEDIA_CONFIG, .digest = d, .size = 3 };
	struct oci_descriptor layer = { .media_type = OCI_MEDIA_LAYER_GZIP, .digest = d, .size = 3,
					.annotations = { &pair, 1 } };
	struct oci_platform platform = { .os = "linux", .architecture = "arm", .variant = "v7" };
	struct oci_descriptor entry = { .media_type = OCI_MEDIA_MANIFEST, .digest = d, .size = 3, .platform = &platform };
	struct oci_manifest manifest = { .schema_version = 2, .media_type = OCI_MEDIA_MANIFEST, .config = config,
					 .layers = { &layer, 1 }, .subject = &config, .annotations = { &pair, 1 } };
	struct oci_index index = { .schema_version = 2, .media_type = OCI_MEDIA_INDEX, .manifests = { &entry, 1 } };
	struct oci_history history = { .created = "2026-01-01T00:00:00Z", .created_by = "x", .empty_layer = true };
	struct oci_image image = {
		.created = "2026-01-01T00:00:00Z", .architecture = "arm", .variant = "v7", .os = "linux",
		.config = { .user = "1:1", .exposed_ports = { &port, 1 }, .env = { &word, 1 }, .cmd = { &word, 1 },
			    .volumes = { &port, 1 }, .labels = { &pair, 1 }, .working_dir = "/", .stop_signal = "TERM" },
		.rootfs = { .type = "layers", .diff_ids = { &d, 1 } }, .history = { &history, 1 },
	};
	auto_str struct str out = STR_INIT(1 << 16);

	oci_manifest_encode(&out, &manifest);
	write_out("manifest", "full.json", &out);
	str_clear(&out);
	oci_index_encode(&out, &index);
	write_out("index", "full.json", &out);
	str_clear(&out);
	oci_image_encode(&out, &image);
	write_out("image", "full.json", &out);
	str_clear(&out);
	oci_layout_encode(&out);
	write_out("layout", "full.json", &out);
	str_clear(&out);
	oci_descriptor_encode(&out, &layer, 0);
	write_out("descriptor", "full.json", &out);
	assert_ok(str_check(&out));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_good_configs_decode),
		TEST(test_bad_configs_are_refused),
		TEST(test_good_states_and_features_decode),
		TEST(test_bad_states_and_features_are_refused),
		TEST(test_the_specifications_large_example_decodes_under_a_version_of_today),
		TEST(test_image_documents_are_written_for_the_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
