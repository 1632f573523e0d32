/* tests/unit/oci/platform_test.c: the same machine always takes the same manifest. */
#include "tests/unit/unit.h"

#include "oci/image.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(1 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct oci_platform platform(const char *text)
{
	struct oci_platform p;

	assert_ok(oci_platform_parse(arena, text, &p));
	return p;
}

static void test_platforms_are_parsed_with_the_words_people_use(void **state)
{
	(void)state;
	static const struct { const char *text, *result; } rows[] = {
		{ "linux/amd64", "linux/amd64" }, { "amd64", "linux/amd64" },
		{ "x86_64", "linux/amd64" },      { "linux/x86_64", "linux/amd64" },
		{ "aarch64", "linux/arm64" },     { "linux/arm64/v8", "linux/arm64/v8" },
		{ "armhf", "linux/arm/v7" },      { "linux/armel", "linux/arm/v6" },
		{ "linux/arm", "linux/arm/v7" },  { "linux/arm/v6", "linux/arm/v6" },
		{ "linux/i686", "linux/386" },    { "windows/amd64", "windows/amd64" },
		{ "linux/amd64/v3", "linux/amd64/v3" }, { "linux/riscv64", "linux/riscv64" },
	};
	struct oci_platform p;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str out = STR_INIT(100);

		p = platform(rows[i].text);
		oci_platform_format(&p, &out);
		assert_string_equal(out.data, rows[i].result);
	}
	assert_err(oci_platform_parse(arena, "", &p), "platform '': expected OS/ARCH[/VARIANT]");
	assert_err(oci_platform_parse(arena, "linux/", &p), "platform 'linux/': expected OS/ARCH[/VARIANT]");
	assert_err(oci_platform_parse(arena, "a/b/c/d", &p), "platform 'a/b/c/d': expected OS/ARCH[/VARIANT]");
	assert_err(oci_platform_parse(arena, "a/b/c/d/e", &p), "platform 'a/b/c/d/e': expected OS/ARCH[/VARIANT]");
	assert_err(oci_platform_parse(arena, "linux/a b", &p), "platform 'linux/a b': expected OS/ARCH[/VARIANT]");
}

static void test_variants_run_what_came_before_them(void **state)
{
	(void)state;
	/* wanted, then offers from the best to the worst, then one that does not run */
	static const char *const rows[][5] = {
		{ "linux/arm/v7", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/arm/v8" },
		{ "linux/arm/v6", "linux/arm/v6", "linux/arm/v5", NULL, "linux/arm/v7" },
		{ "linux/arm64", "linux/arm64/v8", NULL, NULL, "linux/arm64/v9" },
		{ "linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/amd64/v4" },
		{ "linux/amd64", "linux/amd64/v1", NULL, NULL, "linux/amd64/v2" },
		{ "linux/amd64", "linux/x86_64", NULL, NULL, "windows/amd64" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct oci_platform want = platform(rows[i][0]), offer;
		unsigned last = UINT32_MAX;

		for (size_t k = 1; k < 4 && rows[i][k]; k++) {
			offer = platform(rows[i][k]);
			unsigned match = oci_platform_match(&want, &offer);
			assert_true(match > 0 && match < last);
			last = match;
		}
		offer = platform(rows[i][4]);
		assert_int_equal(oci_platform_match(&want, &offer), 0);
	}
}

static void test_a_bare_arm_image_is_for_v7(void **state)
{
	(void)state;
	struct oci_platform bare = { .os = "linux", .architecture = "arm" };
	struct oci_platform v7 = platform("linux/arm/v7"), v6 = platform("linux/arm/v6");

	assert_true(oci_platform_match(&v7, &bare) > 0);
	assert_int_equal(oci_platform_match(&v6, &bare), 0);
}

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ENTRY(type, size, platform) \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX64 "\",\"size\":" #size platform "}"
#define FOR(os, arch, variant) \
	",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\",\"variant\":\"" variant "\"}"
#define M OCI_MEDIA_MANIFEST

/* Choose for `want` among `entries`; the size of the chosen one tells which it was. */
static err *choose(const char *entries, const char *want, int64_t *ret_size)
{
	auto_str struct str text = STR_INIT(1 << 16);
	const struct oci_index *index;
	const struct oci_descriptor *d;
	struct oci_platform p = platform(want);

	str_addf(&text, "{\"schemaVersion\":2,\"manifests\":[%s]}", entries);
	TRY(oci_index_decode(arena, "i", NULL, text.data, text.len, &index));
	TRY(oci_index_choose(index, &p, &d));
	*ret_size = d->size;
	return NULL;
}

static void test_the_choice_from_an_index_is_deterministic(void **state)
{
	(void)state;
	static const struct { const char *entries, *want; int64_t size; } rows[] = {
		/* the best, wherever it stands */
		{ ENTRY(M, 1, FOR("linux", "arm", "v5")) "," ENTRY(M, 2, FOR("linux", "arm", "v7")) ","
		  ENTRY(M, 3, FOR("linux", "arm", "v6")), "linux/arm/v7", 2 },
		/* the first of equals */
		{ ENTRY(M, 1, FOR("linux", "amd64", "")) "," ENTRY(M, 2, FOR("linux", "amd64", "v1")), "linux/amd64", 1 },
		/* attestations, layers and configs are no candidates */
		{ ENTRY(M, 1, FOR("unknown", "unknown", "")) "," ENTRY(OCI_MEDIA_LAYER, 2, FOR("linux", "amd64", "")) ","
		  ENTRY(M, 3, FOR("linux", "amd64", "")), "linux/amd64", 3 },
		/* an entry without platform only when it is the one that could be meant */
		{ ENTRY(M, 1, "") "," ENTRY(M, 2, FOR("linux", "amd64", "")), "linux/amd64", 2 },
		{ ENTRY(M, 1, "") "," ENTRY(M, 2, FOR("linux", "arm64", "")), "linux/amd64", 1 },
		/* an index within an index */
		{ ENTRY(OCI_MEDIA_INDEX, 1, FOR("linux", "amd64", "")), "linux/amd64", 1 },
		/* capitals */
		{ ENTRY(M, 1, FOR("Linux", "AMD64", "")), "linux/amd64", 1 },
	};
	int64_t size = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_ok(choose(rows[i].entries, rows[i].want, &size));
		assert_int_equal(size, rows[i].size);
	}
}

static void test_nothing_that_fits_says_what_there_is(void **state)
{
	(void)state;
	int64_t size;

	assert_err(choose(ENTRY(M, 1, FOR("linux", "amd64", "")) "," ENTRY(M, 1, FOR("unknown", "unknown", "")) ","
			  ENTRY(M, 2, FOR("linux", "arm", "v7")), "linux/s390x", &size),
		   "nothing for linux/s390x; the index offers linux/amd64, linux/arm/v7");
	assert_err(choose("", "linux/s390x", &size), "nothing for linux/s390x; the index offers no platform");
	assert_err_code(choose(ENTRY(M, 1, "") "," ENTRY(M, 2, ""), "linux/amd64", &size), ENOENT);
}

static void test_this_machine_has_a_platform_that_matches_itself(void **state)
{
	(void)state;
	const struct oci_platform *host = oci_platform_host();

	assert_string_equal(host->os, "linux");
	assert_true(oci_platform_match(host, host) > 0);
#ifdef __x86_64__
	assert_string_equal(host->architecture, "amd64");
	assert_null(host->variant);
#endif
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_platforms_are_parsed_with_the_words_people_use),
		TEST(test_variants_run_what_came_before_them),
		TEST(test_a_bare_arm_image_is_for_v7),
		TEST(test_the_choice_from_an_index_is_deterministic),
		TEST(test_nothing_that_fits_says_what_there_is),
		TEST(test_this_machine_has_a_platform_that_matches_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
