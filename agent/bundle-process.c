/* agent/bundle-process.c: whom the container runs as, what it runs, in which environment. */
#include <string.h>
#include <sys/resource.h>

#include "agent/bundle-internal.h"
#include "base/strv.h"

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum { ENV_MAX = 4096, EXPANDED_MAX = 1 << 20 };

static const struct pod_container *container_of(const struct bundle_input *in)
{
	return &in->pod->spec.containers.items[in->container];
}

/* ---- user ---- */

static err *resolve_user(struct arena *arena, const struct bundle_input *in, struct bundle_user *ret)
{
	const struct pod_pod_security *pod = &in->pod->spec.security;
	const struct pod_security *own = &container_of(in)->security;
	const int64_t *uid = own->run_as_user ? own->run_as_user : pod->run_as_user;
	const int64_t *gid = own->run_as_group ? own->run_as_group : pod->run_as_group;
	const bool *non_root = own->run_as_non_root ? own->run_as_non_root : pod->run_as_non_root;
	const char *text = in->image && in->image->user && *in->image->user ? in->image->user : "0";

	if (uid)
		TRY_ALLOC(arena, text, arena_printf(arena, "%lld", (long long)*uid));
	if (in->user)
		text = in->user;
	TRY(bundle_user_find(arena, in->root_fd, text, ret));
	if (gid && !in->user)
		ret->gid = (uint32_t)*gid;
	if (non_root && *non_root && ret->uid == 0)
		return err_new(EPERM, "runAsNonRoot, but the user '%s' is root", text);
	if (in->ids.size > 0 && (ret->uid >= in->ids.size || ret->gid >= in->ids.size))
		return err_new(EINVAL, "user %u:%u is not among the %u ids of the container's user namespace",
			       ret->uid, ret->gid, in->ids.size);
	if (pod->supplemental_groups.count == 0)
		return NULL;
	uint32_t *all;
	TRY_ALLOC(arena, all, arena_array(arena, ret->groups.count + pod->supplemental_groups.count, sizeof(*all)));
	if (ret->groups.count > 0)
		memcpy(all, ret->groups.items, ret->groups.count * sizeof(*all));
	for (size_t i = 0; i < pod->supplemental_groups.count; i++)
		all[ret->groups.count++] = (uint32_t)pod->supplemental_groups.items[i];
	ret->groups.items = all;
	return NULL;
}

/* ---- $(NAME) ---- */

static const char *env_get(const struct strv *env, const char *name, size_t len)
{
	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			return env->items[i] + len + 1;
	return NULL;
}

/* Kubernetes' expansion: $(NAME) of a variable that is set; $$ is $; all else stays as it is. */
static err *expand(struct arena *arena, const char *text, const struct strv *env, const char **ret)
{
	auto_str struct str out = STR_INIT(EXPANDED_MAX);

	while (*text) {
		size_t plain = strcspn(text, "$");
		str_add_bytes(&out, text, plain);
		text += plain;
		if (!*text)
			break;
		const char *close = text[1] == '(' ? strchr(text, ')') : NULL;
		const char *value = close ? env_get(env, text + 2, (size_t)(close - text - 2)) : NULL;
		if (value) {
			str_add(&out, value);
			text = close + 1;
		} else {
			str_add_char(&out, '$');
			text += text[1] == '$' ? 2 : 1;
		}
	}
	TRY(str_check(&out));
	TRY_ALLOC(arena, *ret, arena_strndup(arena, out.data, out.len));
	return NULL;
}

/* ---- environment and command ---- */

static err *copy_strings(struct arena *arena, const struct strv *from, struct strings *ret)
{
	TRY(strv_check(from));
	TRY_ALLOC(arena, ret->items, arena_array(arena, from->count, sizeof(char *)));
	for (size_t i = 0; i < from->count; i++)
		TRY_ALLOC(arena, ret->items[i], arena_strdup(arena, from->items[i]));
	ret->count = from->count;
	return NULL;
}

const char *bundle_host_name(const struct bundle_input *in)
{
	return in->pod->spec.hostname ? in->pod->spec.hostname : in->pod->metadata.name;
}

static void set_pair(struct strv *env, const char *pair)
{
	char name[256];
	const char *equals = strchr(pair, '=');

	if (!equals || (size_t)(equals - pair) >= sizeof(name)) {
		strv_add(env, pair);
		return;
	}
	memcpy(name, pair, (size_t)(equals - pair));
	name[equals - pair] = '\0';
	strv_set(env, name, equals + 1);
}

/* What comes later wins: the platform's, the image's, the Pod's. */
static err *environment(struct arena *arena, const struct bundle_input *in, const struct bundle_user *user,
			struct strv *env)
{
	const struct pod_container *c = container_of(in);
	const char *value;

	strv_set(env, "PATH", default_path);
	strv_set(env, "HOSTNAME", bundle_host_name(in));
	strv_set(env, "HOME", user->home);
	if (c->tty)
		strv_set(env, "TERM", "xterm");
	for (size_t i = 0; in->image && i < in->image->env.count; i++)
		set_pair(env, in->image->env.items[i]);
	for (size_t i = 0; i < c->env.count; i++) {
		TRY(expand(arena, c->env.items[i].value, env, &value));
		strv_set(env, c->env.items[i].name, value);
	}
	return err_wrap(strv_check(env), "environment");
}

static err *append(struct arena *arena, const struct strings *from, const struct strv *env, struct strv *out)
{
	for (size_t i = 0; i < from->count; i++) {
		const char *text = from->items[i];
		if (env)
			TRY(expand(arena, text, env, &text));
		strv_add(out, text);
	}
	return NULL;
}

/* command replaces the image's entrypoint and its cmd, args replace its cmd alone. */
static err *command(struct arena *arena, const struct bundle_input *in, const struct strv *env,
		    struct strings *ret)
{
	const struct pod_container *c = container_of(in);
	auto_strv struct strv args = STRV_INIT(ENV_MAX);

	if (c->command.count > 0)
		TRY(append(arena, &c->command, env, &args));
	else if (in->image)
		TRY(append(arena, &in->image->entrypoint, NULL, &args));
	if (c->args.count > 0)
		TRY(append(arena, &c->args, env, &args));
	else if (c->command.count == 0 && in->image)
		TRY(append(arena, &in->image->cmd, NULL, &args));
	if (args.count == 0)
		return err_new(EINVAL, "there is nothing to run: neither the Pod nor the image names a command");
	return err_wrap(copy_strings(arena, &args, ret), "command");
}

/* ---- capabilities ---- */

/* "NET_ADMIN", "CAP_NET_ADMIN", any case: its number, or -1. */
static int capability(const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "%s%s", strncasecmp(name, "CAP_", 4) == 0 ? "" : "CAP_", name);
	for (char *p = full; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return enum_value(oci_capability_names, full);
}

static err *collect(const struct strings *names, const char *member, uint64_t *ret_mask)
{
	for (size_t i = 0; i < names->count; i++) {
		int number = capability(names->items[i]);
		if (strcasecmp(names->items[i], "ALL") == 0)
			*ret_mask = UINT64_MAX;
		else if (number < 0)
			return err_new(EINVAL, "securityContext.capabilities.%s[%zu]: unknown capability '%s'",
				       member, i, names->items[i]);
		else
			*ret_mask |= UINT64_C(1) << number;
	}
	return NULL;
}

/* None but those that are listed. A user other than root gets them as ambient ones, or exec(2) would take
 * them away again. */
static err *capabilities(struct arena *arena, const struct pod_capabilities *pod, bool root,
			 const struct oci_capabilities **ret)
{
	uint64_t add = 0, drop = 0;
	struct oci_capabilities *caps;
	struct oci_ints set = { 0 };

	TRY(collect(&pod->add, "add", &add));
	TRY(collect(&pod->drop, "drop", &drop));
	if (add == UINT64_MAX)
		return err_new(EINVAL, "securityContext.capabilities.add: 'ALL' is not supported: list what is needed");
	/* As Kubernetes: dropping all and adding some leaves those. */
	if (drop != UINT64_MAX)
		add &= ~drop;
	TRY_ALLOC(arena, caps, arena_alloc(arena, sizeof(*caps)));
	TRY_ALLOC(arena, set.items, arena_array(arena, 64, sizeof(int)));
	for (const struct enum_name *n = oci_capability_names; n->name; n++)
		if (add >> n->value & 1)
			set.items[set.count++] = n->value;
	caps->bounding = caps->effective = caps->permitted = set;
	if (!root)
		caps->inheritable = caps->ambient = set;
	*ret = caps;
	return NULL;
}

static err *stand(struct arena *arena, const struct standing *standing, struct oci_process *p)
{
	int32_t *score;

	if (!standing)
		return NULL;
	TRY_ALLOC(arena, score, arena_alloc(arena, sizeof(*score)));
	*score = standing->oom_score;
	p->oom_score_adj = score;
	TRY_ALLOC(arena, p->rlimits.items, arena_alloc(arena, sizeof(*p->rlimits.items)));
	p->rlimits.items[0] =
		(struct oci_rlimit){ RLIMIT_NOFILE, standing->files_hard, standing->files_soft };
	p->rlimits.count = 1;
	return NULL;
}

static const char *stop_signal(const struct bundle_input *in)
{
	const char *wanted = string_map_get(&in->pod->metadata.annotations, POD_STOP_SIGNAL);

	if (!wanted && in->image)
		wanted = in->image->stop_signal;
	return wanted && *wanted ? wanted : "SIGTERM";
}

err *bundle_process(struct arena *arena, const struct bundle_input *in, struct bundle_result *ret)
{
	const struct pod_container *c = container_of(in);
	const bool *escalate = c->security.allow_privilege_escalation;
	auto_strv struct strv env = STRV_INIT(ENV_MAX);
	struct oci_process *p;
	struct bundle_user user;

	TRY_ALLOC(arena, p, arena_alloc(arena, sizeof(*p)));
	TRY(resolve_user(arena, in, &user));
	TRY(environment(arena, in, &user, &env));
	TRY(command(arena, in, &env, &p->args));
	TRY(copy_strings(arena, &env, &p->env));
	TRY(capabilities(arena, &c->security.capabilities, user.uid == 0, &p->capabilities));
	TRY(stand(arena, in->standing, p));
	p->terminal = c->tty;
	p->user.uid = ret->uid = user.uid;
	p->user.gid = ret->gid = user.gid;
	p->user.additional_gids = user.groups;
	p->cwd = c->working_dir ? c->working_dir :
		 in->image && in->image->working_dir && in->image->working_dir[0] == '/' ? in->image->working_dir : "/";
	p->no_new_privileges = !(escalate && *escalate);
	ret->stop_signal = stop_signal(in);
	ret->config.process = p;
	/* A joined uts namespace has its name. */
	ret->config.hostname = in->join && in->join->uts ? NULL : bundle_host_name(in);
	return NULL;
}

err *bundle_exec_process(struct arena *arena, const struct oci_config *config, const struct bundle_exec *exec,
			 const struct oci_process **ret)
{
	auto_strv struct strv env = STRV_INIT(ENV_MAX);
	struct oci_process *p;
	struct bundle_user user;

	if (!config->process || exec->args->count == 0)
		return err_new(EINVAL, "there is nothing to run");
	TRY_ALLOC(arena, p, arena_alloc(arena, sizeof(*p)));
	*p = *config->process;
	p->args = *exec->args;
	p->terminal = exec->tty;
	p->console_size = NULL;
	if (exec->cwd)
		p->cwd = exec->cwd;
	for (size_t i = 0; i < p->env.count; i++)
		strv_add(&env, p->env.items[i]);
	if (exec->user) {
		TRY(bundle_user_find(arena, exec->root_fd, exec->user, &user));
		bool same = user.uid == p->user.uid;
		p->user.uid = user.uid;
		p->user.gid = user.gid;
		p->user.additional_gids = user.groups;
		strv_set(&env, "HOME", user.home);
		/* Capabilities were listed for the container's own user. */
		if (!same)
			TRY_ALLOC(arena, p->capabilities, arena_alloc(arena, sizeof(struct oci_capabilities)));
	}
	if (exec->tty)
		strv_set(&env, "TERM", "xterm");
	for (size_t i = 0; i < exec->env.count; i++)
		set_pair(&env, exec->env.items[i]);
	TRY(copy_strings(arena, &env, &p->env));
	*ret = p;
	return NULL;
}
