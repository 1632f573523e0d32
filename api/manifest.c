/* api/manifest.c: objects from manifests, in files, directories and standard input. */
#include "api/manifest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/yaml.h"
#include "base/fd.h"
#include "base/file.h"

#define ERRORS_MAX 20
#define FILES_MAX  10000
#define LIST_NAME  "List"

struct reading {
	struct arena *arena;
	struct manifest_item *items;
	size_t count, cap;
	err *errors; /* beside each other */
	size_t error_count;
};

/* The first ones are told, the others counted. */
static void add_error(struct reading *r, err *e)
{
	if (e && r->error_count++ < ERRORS_MAX)
		r->errors = err_beside(r->errors, e);
	else
		err_free(e);
}

static err *finish(struct reading *r, struct manifest *ret)
{
	auto_free struct manifest_item *items = TAKE(r->items);
	err *errors = TAKE(r->errors);

	if (r->error_count > ERRORS_MAX)
		errors = err_beside(errors, err_new(EINVAL, "and %zu more", r->error_count - ERRORS_MAX));
	if (errors)
		return errors;
	TRY_ALLOC(r->arena, ret->items, arena_array(r->arena, r->count, sizeof(*items)));
	if (r->count)
		memcpy(ret->items, items, r->count * sizeof(*items));
	ret->count = r->count;
	return NULL;
}

static err *add_item(struct reading *r, const char *name, const json *tree)
{
	struct manifest_item item = { .tree = tree };

	TRY(object_decode_tree(r->arena, name, tree, NULL, OBJECT_ADMIT, &item.object));
	if (r->count == MANIFEST_ITEMS_MAX)
		return err_new(EFBIG, "%s:%u:%u: more than %d objects", name, tree->line, tree->column,
			       MANIFEST_ITEMS_MAX);
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		struct manifest_item *more = reallocarray(r->items, cap, sizeof(*more));
		if (!more)
			return err_oom();
		r->items = more;
		r->cap = cap;
	}
	TRY_ALLOC(r->arena, item.source, arena_printf(r->arena, "%s:%u", name, tree->line));
	r->items[r->count++] = item;
	return NULL;
}

static bool is_list(const json *tree)
{
	return str_equal(json_get_string(tree, "kind"), LIST_NAME);
}

/* What `kubectl get -o yaml` prints of several objects. */
static err *add_list(struct reading *r, const char *name, const json *tree)
{
	static const char *const keys[] = { "apiVersion", "kind", "metadata", "items" };
	const json *items = json_get(tree, "items");

	if (!str_equal(json_get_string(tree, "apiVersion"), "v1"))
		return err_new(EINVAL, "%s:%u:%u: apiVersion: a List is of 'v1'", name, tree->line,
			       tree->column);
	for (size_t i = 0; i < tree->object.count; i++) {
		const struct json_member *m = &tree->object.members[i];
		bool known = false;
		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			known = known || str_equal(keys[k], m->key);
		if (!known)
			return err_new(EINVAL, "%s:%u:%u: %.100s: unknown field", name, m->value->line,
				       m->value->column, m->key);
	}
	if (!items || items->kind != JSON_ARRAY)
		return err_new(EINVAL, "%s:%u:%u: items: %s", name, items ? items->line : tree->line,
			       items ? items->column : tree->column,
			       items ? "expected array" : "required but missing");
	for (size_t i = 0; i < items->array.count; i++)
		add_error(r, add_item(r, name, items->array.items[i]));
	return NULL;
}

static err *read_text(struct reading *r, const char *name, const char *text, size_t len)
{
	json **documents = NULL;
	size_t count = 0;

	TRY(yaml_parse(r->arena, name, text, len, &documents, &count));
	for (size_t i = 0; i < count; i++)
		add_error(r, is_list(documents[i]) ? add_list(r, name, documents[i])
						   : add_item(r, name, documents[i]));
	return NULL;
}

err *manifest_parse(struct arena *arena, const char *name, const char *text, size_t len, struct manifest *ret)
{
	struct reading r = { .arena = arena };

	add_error(&r, read_text(&r, name, text, len));
	return finish(&r, ret);
}

/* ---- where they come from ---- */

/* A pipe that the caller names, as in `--file <(make-manifest)`; whoever writes there is waited for. */
static err *read_pipe(const char *path, struct str *out)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_errno("open") : fd_read_all(fd, out);
}

static err *read_file(struct reading *r, const char *path)
{
	auto_str struct str text = STR_INIT(YAML_SIZE_MAX);
	struct stat st;
	bool pipe = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);

	TRY(err_wrap(pipe ? read_pipe(path, &text) : file_read(AT_FDCWD, path, &text), "manifest '%s'",
		     path));
	return read_text(r, path, text.data, text.len);
}

static err *read_input(struct reading *r)
{
	auto_str struct str text = STR_INIT(YAML_SIZE_MAX);

	TRY(err_wrap(fd_read_all(STDIN_FILENO, &text), "standard input"));
	return read_text(r, "standard input", text.data, text.len);
}

static int is_manifest(const struct dirent *d)
{
	static const char *const endings[] = { ".yaml", ".yml", ".json" };

	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (*d->d_name != '.' && str_ends_with(d->d_name, endings[i]))
			return 1;
	return 0;
}

/* In the order of their bytes, whatever the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static err *read_directory(struct reading *r, const char *path)
{
	struct dirent **names = NULL;
	int count = scandir(path, &names, is_manifest, compare_names);
	err *e = count < 0 ? err_errno("manifests in '%s'", path) : NULL;

	if (count == 0)
		e = err_new(ENOENT, "manifests in '%s': there is no *.yaml, *.yml or *.json", path);
	if (count > FILES_MAX)
		e = err_new(EFBIG, "manifests in '%s': more than %d files", path, FILES_MAX);
	for (int i = 0; i < count; i++) {
		auto_str struct str file = STR_INIT(4096);
		str_addf(&file, "%s%s%s", path, str_ends_with(path, "/") ? "" : "/", names[i]->d_name);
		free(names[i]);
		if (e)
			continue;
		e = str_check(&file);
		if (!e)
			add_error(r, read_file(r, file.data));
	}
	free(names);
	return e;
}

static err *read_path(struct reading *r, const char *path)
{
	auto_close int fd = -1;

	if (str_equal(path, "-"))
		return read_input(r);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return read_directory(r, path);
	return errno == ENOTDIR ? read_file(r, path) : err_errno("manifest '%s'", path);
}

err *manifest_read(struct arena *arena, const struct strv *paths, struct manifest *ret)
{
	struct reading r = { .arena = arena };

	for (size_t i = 0; i < paths->count; i++) {
		size_t before = r.count + r.error_count;
		err *e = read_path(&r, paths->items[i]);
		/* A pipeline whose first part failed must not look like success. */
		if (!e && r.count + r.error_count == before)
			e = err_new(EINVAL, "no objects in %s",
				    str_equal(paths->items[i], "-") ? "standard input" : paths->items[i]);
		add_error(&r, e);
	}
	return finish(&r, ret);
}

/* ---- the order ---- */

static unsigned rank(const struct manifest_item *item)
{
	const struct kind *kind = kind_of(item->object);

	if (kind && kind->id == KIND_NAMESPACE)
		return 0;
	return kind && kind->id == KIND_CLAIM ? 1 : 2;
}

/* Each that comes early is moved before all that do not; their order stays. */
void manifest_sort(struct manifest *m)
{
	size_t to = 0;

	for (unsigned wanted = 0; wanted < 2; wanted++)
		for (size_t i = to; i < m->count; i++) {
			if (rank(&m->items[i]) != wanted)
				continue;
			struct manifest_item item = m->items[i];
			memmove(&m->items[to + 1], &m->items[to], (i - to) * sizeof(item));
			m->items[to++] = item;
		}
}
