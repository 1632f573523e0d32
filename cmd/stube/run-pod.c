/* cmd/stube/run-pod.c: the options of `stube run` as a Pod. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/stube/local.h"

enum { ENV_MAX = 4096, FILE_MAX = 1 << 20, MOUNTS_MAX = 128 };

/* ---- variables ---- */

static err *add_pair(const char *pair, struct strv *out)
{
	size_t len = strcspn(pair, "=");
	char name[256];
	const char *value = pair[len] ? pair + len + 1 : NULL;

	if (len == 0 || len >= sizeof(name))
		return err_new(EINVAL, "'%s' is not NAME=VALUE", pair);
	memcpy(name, pair, len);
	name[len] = '\0';
	if (!value)
		value = getenv(name);
	if (value)
		strv_set(out, name, value);
	return NULL;
}

static err *add_file(const char *path, struct strv *out)
{
	auto_str struct str text = STR_INIT(FILE_MAX);
	char *rest = NULL;

	TRY(err_wrap(file_read(AT_FDCWD, path, &text), "--env-file: '%s'", path));
	for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (line[0] != '#' && line[strspn(line, " \t\r")])
			TRY(err_wrap(add_pair(line, out), "--env-file: '%s'", path));
	return NULL;
}

err *env_collect(const struct strv *pairs, const struct strv *files, struct strv *out)
{
	for (size_t i = 0; files && i < files->count; i++)
		TRY(add_file(files->items[i], out));
	for (size_t i = 0; i < pairs->count; i++)
		TRY(err_wrap(add_pair(pairs->items[i], out), "--env"));
	return strv_check(out);
}

/* What the user typed is no reference: the Pod's $(NAME) is told so by a second dollar. */
static err *literal(struct arena *arena, const char *text, const char **ret)
{
	auto_str struct str out = STR_INIT(4 << 20);

	for (; *text; text++) {
		if (*text == '$')
			str_add_char(&out, '$');
		str_add_char(&out, *text);
	}
	TRY(str_check(&out));
	TRY_ALLOC(arena, *ret, arena_strdup(arena, out.data));
	return NULL;
}

static err *set_env(struct arena *arena, const struct run_args *a, struct pod_container *c)
{
	auto_strv struct strv env = STRV_INIT(ENV_MAX);

	TRY(env_collect(&a->env, &a->env_files, &env));
	TRY_ALLOC(arena, c->env.items, arena_array(arena, env.count, sizeof(struct pod_env)));
	for (size_t i = 0; i < env.count; i++) {
		struct pod_env *e = &c->env.items[c->env.count++];
		size_t len = strcspn(env.items[i], "=");
		TRY_ALLOC(arena, e->name, arena_strndup(arena, env.items[i], len));
		TRY(literal(arena, env.items[i] + len + 1, &e->value));
	}
	return NULL;
}

static err *set_command(struct arena *arena, const struct run_args *a, char *const *words, struct pod_container *c)
{
	size_t count = 0;

	while (words && words[count])
		count++;
	TRY_ALLOC(arena, c->args.items, arena_array(arena, count, sizeof(char *)));
	for (size_t i = 0; i < count; i++)
		TRY(literal(arena, words[i], &c->args.items[c->args.count++]));
	if (!a->entrypoint || !*a->entrypoint)
		return NULL;
	TRY_ALLOC(arena, c->command.items, arena_alloc(arena, sizeof(char *)));
	c->command.count = 1;
	return literal(arena, a->entrypoint, &c->command.items[0]);
}

/* ---- volumes ---- */

static err *add_mount(struct arena *arena, struct pod *pod, const char *path, bool read_only,
		      struct pod_volume **ret)
{
	struct pod_container *c = &pod->spec.containers.items[0];
	struct pod_volume *v = &pod->spec.volumes.items[pod->spec.volumes.count];

	if (pod->spec.volumes.count == MOUNTS_MAX)
		return err_new(E2BIG, "more than %d volumes", MOUNTS_MAX);
	TRY_ALLOC(arena, v->name, arena_printf(arena, "v%zu", pod->spec.volumes.count));
	struct pod_mount *m = &c->mounts.items[c->mounts.count++];
	*m = (struct pod_mount){ v->name, path, read_only };
	pod->spec.volumes.count++;
	*ret = v;
	return NULL;
}

/* SOURCE:DESTINATION[:ro|rw] */
static err *add_volume(struct arena *arena, struct pod *pod, const char *text)
{
	struct pod_host_path_source *h;
	struct pod_volume *v;
	char source[PATH_MAX];
	char *copy, *destination, *mode;

	TRY_ALLOC(arena, copy, arena_strdup(arena, text));
	destination = strchr(copy, ':');
	if (!destination || destination[1] != '/')
		return err_new(EINVAL, "--volume: '%s' is not SOURCE:DESTINATION[:ro]", text);
	*destination++ = '\0';
	mode = strchr(destination, ':');
	if (mode)
		*mode++ = '\0';
	if (mode && !str_equal(mode, "ro") && !str_equal(mode, "rw"))
		return err_new(EINVAL, "--volume: '%s': '%s' is not one of ro|rw", text, mode);
	if (!realpath(copy, source))
		return err_errno("--volume: '%s'", copy);
	TRY(add_mount(arena, pod, destination, str_equal(mode, "ro"), &v));
	TRY_ALLOC(arena, h, arena_alloc(arena, sizeof(*h)));
	TRY_ALLOC(arena, h->path, arena_strdup(arena, source));
	h->type = POD_PATH_ANY;
	v->host_path = h;
	return NULL;
}

/* DESTINATION[:SIZE] */
static err *add_tmpfs(struct arena *arena, struct pod *pod, const char *text)
{
	struct pod_empty_dir *e;
	struct pod_volume *v;
	char *copy, *size;

	TRY_ALLOC(arena, copy, arena_strdup(arena, text));
	size = strchr(copy, ':');
	if (size)
		*size++ = '\0';
	TRY_ALLOC(arena, e, arena_alloc(arena, sizeof(*e)));
	e->medium = POD_MEDIUM_MEMORY;
	if (size && (!quantity_parse(size, &e->size_limit) || e->size_limit.milli == 0))
		return err_new(EINVAL, "--tmpfs: '%s': '%s' is not a size such as 64Mi", text, size);
	TRY(add_mount(arena, pod, copy, false, &v));
	v->empty_dir = e;
	return NULL;
}

/* ---- the rest ---- */

static err *set_limits(struct arena *arena, const struct run_args *a, struct pod *pod)
{
	struct pod_amounts *limits = &pod->spec.containers.items[0].resources.limits;
	struct string_map *annotations = &pod->metadata.annotations;

	if (a->memory)
		limits->memory = (struct quantity){ (int64_t)MIN(a->memory, (uint64_t)INT64_MAX / 1000) * 1000, true };
	if (a->cpus && (!quantity_parse(a->cpus, &limits->cpu) || limits->cpu.milli == 0))
		return err_new(EINVAL, "--cpus: '%s' is not a number of processors such as 1.5", a->cpus);
	TRY_ALLOC(arena, annotations->items, arena_array(arena, 2, sizeof(struct string_pair)));
	if (a->pids_limit) {
		struct string_pair *p = &annotations->items[annotations->count++];
		p->key = POD_PIDS_LIMIT;
		TRY_ALLOC(arena, p->value, arena_printf(arena, "%llu", (unsigned long long)a->pids_limit));
	}
	if (a->stop_signal)
		annotations->items[annotations->count++] = (struct string_pair){ POD_STOP_SIGNAL, a->stop_signal };
	return NULL;
}

static err *set_labels(struct arena *arena, const struct strv *labels, struct string_map *map)
{
	TRY_ALLOC(arena, map->items, arena_array(arena, labels->count, sizeof(struct string_pair)));
	for (size_t i = 0; i < labels->count; i++) {
		size_t len = strcspn(labels->items[i], "=");
		struct string_pair *p = &map->items[map->count++];
		if (len == 0)
			return err_new(EINVAL, "--label: '%s' is not NAME=VALUE", labels->items[i]);
		TRY_ALLOC(arena, p->key, arena_strndup(arena, labels->items[i], len));
		p->value = labels->items[i][len] ? labels->items[i] + len + 1 : "";
		for (size_t j = 0; j + 1 < map->count; j++)
			if (str_equal(map->items[j].key, p->key))
				return err_new(EINVAL, "--label: '%s' is given twice", p->key);
	}
	return NULL;
}

/* NAME:IP */
static err *set_hosts(struct arena *arena, const struct strv *hosts, struct pod_spec *spec)
{
	TRY_ALLOC(arena, spec->host_aliases.items, arena_array(arena, hosts->count, sizeof(struct pod_host_alias)));
	for (size_t i = 0; i < hosts->count; i++) {
		const char *text = hosts->items[i], *colon = strchr(text, ':');
		struct pod_host_alias *alias = &spec->host_aliases.items[spec->host_aliases.count++];
		if (!colon || colon == text || !colon[1])
			return err_new(EINVAL, "--add-host: '%s' is not NAME:ADDRESS", text);
		alias->ip = colon + 1;
		TRY_ALLOC(arena, alias->hostnames.items, arena_alloc(arena, sizeof(char *)));
		TRY_ALLOC(arena, alias->hostnames.items[0], arena_strndup(arena, text, (size_t)(colon - text)));
		alias->hostnames.count = 1;
	}
	return NULL;
}

static err *set_security(struct arena *arena, const struct run_args *a, struct pod_security *s)
{
	static const bool yes = true, no = false;
	struct pod_seccomp_profile *profile;

	s->read_only_root = a->writable ? &no : NULL;
	s->allow_privilege_escalation = a->new_privileges ? &yes : NULL;
	s->capabilities.add = (struct strings){ (const char **)a->cap_add.items, a->cap_add.count };
	if (str_equal(a->seccomp, "unconfined")) {
		TRY_ALLOC(arena, profile, arena_alloc(arena, sizeof(*profile)));
		profile->type = POD_SECCOMP_UNCONFINED;
		s->seccomp = profile;
	}
	return NULL;
}

static err *set_volumes(struct arena *arena, const struct run_args *a, struct pod *pod)
{
	struct pod_container *c = &pod->spec.containers.items[0];

	TRY_ALLOC(arena, pod->spec.volumes.items, arena_array(arena, MOUNTS_MAX, sizeof(struct pod_volume)));
	TRY_ALLOC(arena, c->mounts.items, arena_array(arena, MOUNTS_MAX, sizeof(struct pod_mount)));
	for (size_t i = 0; i < a->volumes.count; i++)
		TRY(add_volume(arena, pod, a->volumes.items[i]));
	for (size_t i = 0; i < a->tmpfs.count; i++)
		TRY(add_tmpfs(arena, pod, a->tmpfs.items[i]));
	return NULL;
}

err *run_pod(struct arena *arena, const struct run_args *a, const char *name, const char *image,
	     char *const *command, const struct pod **ret)
{
	struct pod *pod;
	struct pod_container *c;

	TRY_ALLOC(arena, pod, arena_alloc(arena, sizeof(*pod)));
	TRY_ALLOC(arena, c, arena_alloc(arena, sizeof(*c)));
	TRY(pod_defaults(arena, pod));
	TRY(pod_container_defaults(arena, c));
	TRY_ALLOC(arena, pod->metadata.name, arena_strdup(arena, name));
	pod->spec.containers.items = c;
	pod->spec.containers.count = 1;
	pod->spec.restart = POD_RESTART_NEVER;
	pod->spec.grace_seconds = (a->stop_timeout + (int64_t)NSEC_PER_SEC - 1) / (int64_t)NSEC_PER_SEC;
	pod->spec.hostname = a->hostname;
	pod->spec.host_network = str_equal(a->network, "host");
	pod->spec.host_users = str_equal(a->userns, "host");
	c->name = pod->metadata.name;
	c->image = image ? image : "";
	c->working_dir = a->workdir;
	c->stdin_open = a->interactive;
	c->tty = a->tty;
	TRY(set_env(arena, a, c));
	TRY(set_command(arena, a, command, c));
	TRY(set_volumes(arena, a, pod));
	TRY(set_limits(arena, a, pod));
	TRY(set_labels(arena, &a->labels, &pod->metadata.labels));
	TRY(set_hosts(arena, &a->add_hosts, &pod->spec));
	TRY(set_security(arena, a, &c->security));
	*ret = pod;
	return NULL;
}
