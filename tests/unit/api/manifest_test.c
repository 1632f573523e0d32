/* tests/unit/api/manifest_test.c: manifests from text, files and directories; every document's error at once. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/manifest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#define NAMESPACE(name) "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " name "\n"
#define DEPLOYMENT(name)                                                                                               \
	"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " name "}\n"                                           \
	"spec:\n  selector: {matchLabels: {app: a}}\n  template:\n    metadata: {labels: {app: a}}\n"                   \
	"    spec:\n      containers:\n      - {name: a, image: a}\n"

static struct arena *arena;
static char dir[] = "/tmp/stube-manifest-XXXXXX";

static int setup(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_ok(arena_new(64 << 20, &arena));
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, dir + strlen("/tmp/")));
	return 0;
}

static void put(const char *name, const char *text)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_ok(file_replace_volatile(fd, name, text, strlen(text), 0600));
}

static err *parse(const char *text, struct manifest *ret)
{
	return manifest_parse(arena, "web.yaml", text, strlen(text), ret);
}

static void test_documents_become_objects_in_their_order(void **state)
{
	(void)state;
	struct manifest m = { 0 };

	assert_ok(parse(NAMESPACE("eins") "---\n---\n" DEPLOYMENT("web"), &m));
	assert_int_equal(m.count, 2);
	assert_string_equal(m.items[0].object->kind, "Namespace");
	assert_string_equal(m.items[0].source, "web.yaml:1");
	assert_string_equal(m.items[1].object->metadata.name, "web");
	assert_string_equal(m.items[1].source, "web.yaml:7");
	assert_string_equal(json_get_string(m.items[1].tree, "apiVersion"), "apps/v1");
	assert_ok(parse("", &m));
	assert_int_equal(m.count, 0);
}

static void test_a_list_is_taken_apart(void **state)
{
	(void)state;
	struct manifest m = { 0 };

	assert_ok(parse("apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
			"- apiVersion: v1\n  kind: Namespace\n  metadata: {name: eins}\n"
			"- apiVersion: v1\n  kind: Namespace\n  metadata: {name: zwei}\n", &m));
	assert_int_equal(m.count, 2);
	assert_string_equal(m.items[1].object->metadata.name, "zwei");
	assert_string_equal(m.items[1].source, "web.yaml:8");
}

static void test_what_is_wrong_names_file_line_and_field(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "kind: Pod\n", "web.yaml:1:1: apiVersion: required but missing" },
		{ "\n\napiVersion: v1\nmetadata: {}\n", "web.yaml:3:1: kind: required but missing" },
		{ "apiVersion: v1\nkind: Podd\n", "web.yaml:2:7: kind: 'Podd' of 'v1' is not a kind that Stube has" },
		{ "apiVersion: v1\nkind: Deployment\n",
		  "web.yaml:1:13: apiVersion: 'v1' is not 'apps/v1', the version of Deployment that Stube has" },
		{ "- 1\n", "web.yaml:1:1: expected object, got array" },
		{ "text\n", "web.yaml:1:1: expected object, got string" },
		{ NAMESPACE("eins") "sepc: {}\n", "web.yaml:5:7: sepc: unknown field" },
		{ "apiVersion: v2\nkind: List\nitems: []\n", "web.yaml:1:1: apiVersion: a List is of 'v1'" },
		{ "apiVersion: v1\nkind: List\n", "web.yaml:1:1: items: required but missing" },
		{ "apiVersion: v1\nkind: List\nitems: {}\n", "web.yaml:3:8: items: expected array" },
		{ "apiVersion: v1\nkind: List\nitmes: []\n", "web.yaml:3:8: itmes: unknown field" },
		{ "a: [\n", "web.yaml:2:1: did not find expected node content, while parsing a flow node of line 2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct manifest m = { 0 };
		assert_err(parse(rows[i].text, &m), rows[i].error);
		assert_int_equal(m.count, 0);
	}
}

static void test_the_errors_of_all_documents_are_told_up_to_twenty(void **state)
{
	(void)state;
	struct manifest m = { 0 };
	auto_str struct str text = STR_INIT(1 << 16), expected = STR_INIT(1 << 16);

	assert_err(parse("kind: Pod\n---\n" NAMESPACE("good") "---\napiVersion: v1\nkind: List\nitems: [{kind: Pod}, 1]\n", &m),
		   "web.yaml:1:1: apiVersion: required but missing\n"
		   "web.yaml:10:9: apiVersion: required but missing\n"
		   "web.yaml:10:22: expected object, got number");
	for (unsigned i = 0; i < 23; i++) {
		str_addf(&text, "%skind: Pod\n", i ? "---\n" : "");
		if (i < 20)
			str_addf(&expected, "%sweb.yaml:%u:1: apiVersion: required but missing", i ? "\n" : "", 2 * i + 1);
	}
	str_add(&expected, "\nand 3 more");
	assert_err(parse(text.data, &m), expected.data);
}

static void test_directories_are_read_in_the_order_of_names(void **state)
{
	(void)state;
	auto_strv struct strv paths = STRV_INIT(8);
	struct manifest m = { 0 };

	put("20.yml", NAMESPACE("zwanzig"));
	put("10.yaml", NAMESPACE("zehn"));
	put("30.json", "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"dreissig\"}}");
	put("notes.txt", "nothing");
	put(".hidden.yaml", "nothing");
	strv_add(&paths, dir);
	assert_ok(manifest_read(arena, &paths, &m));
	assert_int_equal(m.count, 3);
	assert_string_equal(m.items[0].object->metadata.name, "zehn");
	assert_string_equal(m.items[1].object->metadata.name, "zwanzig");
	assert_string_equal(m.items[2].object->metadata.name, "dreissig");
}

static void test_every_wrong_path_is_told(void **state)
{
	(void)state;
	auto_strv struct strv paths = STRV_INIT(8);
	auto_str struct str expected = STR_INIT(4096);
	struct manifest m = { 0 };

	put("broken.yaml", "a: [\n");
	strv_addf(&paths, "%s/broken.yaml", dir);
	strv_addf(&paths, "%s/missing.yaml", dir);
	strv_addf(&paths, "%s/empty", dir);
	assert_int_equal(mkdir(paths.items[2], 0700), 0);
	str_addf(&expected, "%s/broken.yaml:2:1: did not find expected node content, while parsing a flow node of line 2\n"
			    "manifest '%s/missing.yaml': No such file or directory\n"
			    "manifests in '%s/empty': there is no *.yaml, *.yml or *.json", dir, dir, dir);
	assert_err(manifest_read(arena, &paths, &m), expected.data);
}

static void test_a_path_without_objects_is_named(void **state)
{
	static const char *const texts[] = { "", "---\n", "# nothing\n",
					     "apiVersion: v1\nkind: List\nitems: []\n" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		auto_strv struct strv paths = STRV_INIT(8);
		auto_str struct str expected = STR_INIT(4096);
		struct manifest m = { 0 };
		put("none.yaml", texts[i]);
		put("some.yaml", NAMESPACE("eins"));
		strv_addf(&paths, "%s/some.yaml", dir);
		strv_addf(&paths, "%s/none.yaml", dir);
		str_addf(&expected, "no objects in %s/none.yaml", dir);
		assert_err(manifest_read(arena, &paths, &m), expected.data);
	}
}

static void *write_pipe(void *path)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	IGNORE(fd_write_all(fd, NAMESPACE("eins"), strlen(NAMESPACE("eins"))));
	return NULL;
}

static void test_a_pipe_is_read_to_its_end(void **state)
{
	(void)state;
	auto_strv struct strv paths = STRV_INIT(8);
	struct manifest m = { 0 };
	pthread_t writer;

	strv_addf(&paths, "%s/pipe", dir);
	assert_int_equal(mkfifo(paths.items[0], 0600), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_pipe, paths.items[0]), 0);
	assert_ok(manifest_read(arena, &paths, &m));
	pthread_join(writer, NULL);
	assert_int_equal(m.count, 1);
}

static void test_standard_input_is_a_dash(void **state)
{
	(void)state;
	auto_strv struct strv paths = STRV_INIT(8);
	struct manifest m = { 0 };
	auto_close int kept = dup(STDIN_FILENO);
	auto_close int fd = -1;

	strv_add(&paths, "-");
	assert_ok(fd_sealed("input", NAMESPACE("eins"), strlen(NAMESPACE("eins")), false, &fd));
	assert_return_code(lseek(fd, 0, SEEK_SET), errno);
	assert_return_code(dup2(fd, STDIN_FILENO), errno);
	err *e = manifest_read(arena, &paths, &m);
	assert_return_code(dup2(kept, STDIN_FILENO), errno);
	assert_ok(e);
	assert_int_equal(m.count, 1);
	assert_string_equal(m.items[0].source, "standard input:1");
}

static void test_sorted_is_the_order_in_which_they_can_be_made(void **state)
{
	(void)state;
	struct manifest m = { 0 };
	static const char claim[] = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n"
				    "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n";
	static const char *const names[] = { "eins", "zwei", "data", "b", "a" };
	auto_str struct str text = STR_INIT(1 << 16);

	str_addf(&text, "%s---\n%s%s%s---\n%s", DEPLOYMENT("b"), NAMESPACE("eins"), claim, DEPLOYMENT("a"), NAMESPACE("zwei"));
	assert_ok(parse(text.data, &m));
	manifest_sort(&m);
	assert_int_equal(m.count, ARRAY_LEN(names));
	for (size_t i = 0; i < m.count; i++)
		assert_string_equal(m.items[i].object->metadata.name, names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_documents_become_objects_in_their_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_list_is_taken_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_wrong_names_file_line_and_field, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_errors_of_all_documents_are_told_up_to_twenty, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_directories_are_read_in_the_order_of_names, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_every_wrong_path_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_path_without_objects_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_pipe_is_read_to_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_standard_input_is_a_dash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sorted_is_the_order_in_which_they_can_be_made, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
