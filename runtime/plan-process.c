/* runtime/plan-process.c: process of the config, or of an exec, as the plan's process. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "runtime/annotations.h"
#include "runtime/idmap.h"
#include "runtime/plan-config.h"

#define IOPRIO_CLASS_SHIFT 13
#define LIST_BITS_MAX      (64 * 1024)

err *plan_parse_list(struct arena *arena, const char *text, uint64_t **ret, size_t *ret_words)
{
	uint64_t *mask, high = 0;

	TRY_ALLOC(arena, mask, arena_array(arena, LIST_BITS_MAX / 64, sizeof *mask));
	for (const char *p = text; *p;) {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;

		if (end == p || *p < '0' || *p > '9')
			return err_new(EINVAL, "'%s' is not a list such as 0-3,7", text);
		if (*end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
			if (end == p || *p < '0' || *p > '9')
				return err_new(EINVAL, "'%s' is not a list such as 0-3,7", text);
		}
		if (to < from || to >= LIST_BITS_MAX || (*end && *end != ',') || (*end && !end[1]))
			return err_new(EINVAL, "'%s' is not a list such as 0-3,7", text);
		for (unsigned long i = from; i <= to; i++)
			mask[i / 64] |= 1ull << (i % 64);
		high = MAX(high, (uint64_t)to / 64 + 1);
		p = *end ? end + 1 : end;
		p += strspn(p, " "); /* the specification's pattern allows "0, 2" */
	}
	*ret = mask;
	*ret_words = high;
	return NULL;
}

/* LISTEN_FDS counts for the program inside (sd_listen_fds(3)); its pid there is 1 in a new namespace. */
static err *plan_env(struct plan_builder *b, const struct plan_source *s, const struct oci_process *p,
		     bool exec)
{
	auto_strv struct strv env = STRV_INIT(1 << 20);
	struct strings own;
	/* An exec is never process 1, and its caller's activation is not meant for it. */
	const char *listen = exec ? NULL : getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	uint64_t count;

	TRY(plan_env_unique(s->arena, &p->env, &own));
	if (!listen || !str_to_u64(listen, &count) || count == 0) {
		b->plan.process.env = plan_add_texts(b, own.items, own.count);
		return NULL;
	}
	for (size_t i = 0; i < own.count; i++)
		strv_add(&env, own.items[i]);
	strv_set(&env, "LISTEN_FDS", listen);
	if (names)
		strv_set(&env, "LISTEN_FDNAMES", names);
	/* stube-init puts its own number in: 1 only in a new pid namespace. */
	strv_set(&env, "LISTEN_PID", "1");
	TRY(strv_check(&env));
	b->plan.process.env = plan_add_texts(b, (const char *const *)env.items, env.count);
	return NULL;
}

/* Limits are lowered by the child itself; raising a hard one takes the caller's rights, so that is asked
 * now, with words, instead of failing later. */
static err *plan_rlimits(struct plan_builder *b, const struct plan_source *s,
			 const struct oci_process *p)
{
	struct plan_rlimit *rows =
		arena_array(s->arena, p->rlimits.count ? p->rlimits.count : 1, sizeof *rows);

	if (!rows)
		return arena_error(s->arena);
	for (size_t i = 0; i < p->rlimits.count; i++) {
		const struct oci_rlimit *r = &p->rlimits.items[i];
		struct rlimit now;

		if (r->soft > r->hard)
			return err_new(EINVAL, "process.rlimits[%zu]: soft is above hard", i);
		if (getrlimit(r->type, &now) < 0)
			return err_errno("process.rlimits[%zu]", i);
		if (r->hard > now.rlim_max) {
			if (!capability_effective(CAP_SYS_RESOURCE))
				return err_new(EPERM,
					       "process.rlimits[%zu]: the hard limit of %s cannot be raised "
					       "from %llu to %llu without CAP_SYS_RESOURCE",
					       i, enum_name(oci_rlimit_names, r->type),
					       (unsigned long long)now.rlim_max,
					       (unsigned long long)r->hard);
			b->plan.flags |= PLAN_LIMITS;
		}
		rows[i] = (struct plan_rlimit){ r->soft, r->hard, (uint32_t)r->type, (uint32_t)i };
	}
	b->plan.process.rlimits = plan_add_items(b, rows, sizeof *rows, p->rlimits.count);
	if (p->oom_score_adj)
		b->plan.flags |= PLAN_LIMITS;
	return NULL;
}

/* Names of what the caller does not have itself, so cannot give. */
static void warn_missing(const struct plan_source *s, uint64_t wanted)
{
	for (int c = 0; c < 64 && s->warnings; c++) {
		const char *name = enum_name(oci_capability_names, c);

		if ((wanted >> c & 1) && !capability_effective(c))
			strv_addf(s->warnings,
				  "process.capabilities: %s cannot be granted: the caller does not have it",
				  name ? name : "a capability");
	}
}

static void plan_capabilities(struct plan_builder *b, const struct plan_source *s,
			      const struct oci_process *p)
{
	struct plan_process *out = &b->plan.process;
	const struct oci_capabilities *c = p->capabilities;

	if (!c)
		return;
	out->bounding = oci_capability_mask(&c->bounding);
	out->effective = oci_capability_mask(&c->effective);
	out->permitted = oci_capability_mask(&c->permitted);
	out->inheritable = oci_capability_mask(&c->inheritable);
	out->ambient = oci_capability_mask(&c->ambient);
	/* The kernel's own rule (capset(2)): what is in effect must be permitted. */
	out->permitted |= out->effective;
	if (!(s->namespaces->all & CLONE_NEWUSER))
		warn_missing(s, out->permitted);
}

static err *plan_scheduler(struct plan_builder *b, const struct oci_process *p)
{
	const struct oci_scheduler *c = p->scheduler;
	struct plan_scheduler row = { .size = 48 };

	if (!c)
		return NULL;
	row.policy = (uint32_t)c->policy;
	row.nice = c->nice;
	row.priority = (uint32_t)c->priority;
	row.runtime = c->runtime;
	row.deadline = c->deadline;
	row.period = c->period;
	for (size_t i = 0; i < c->flags.count; i++)
		row.flags |= (uint64_t)c->flags.items[i];
	b->plan.process.scheduler = plan_add_items(b, &row, sizeof row, 1);
	b->plan.flags |= PLAN_SCHEDULING;
	return NULL;
}

static err *plan_placement(struct plan_builder *b, const struct plan_source *s,
			   const struct oci_process *p, bool exec)
{
	const struct oci_linux *l = &s->config->linux;
	struct plan_process *out = &b->plan.process;
	uint64_t *mask = NULL;
	size_t words = 0;

	TRY(plan_scheduler(b, p));
	if (p->io_priority) {
		out->io_priority = (uint32_t)p->io_priority->class << IOPRIO_CLASS_SHIFT |
				   (uint32_t)p->io_priority->priority;
		b->plan.flags |= PLAN_SCHEDULING;
	}
	if (exec && p->exec_cpu_affinity && p->exec_cpu_affinity->final) {
		TRY(err_wrap(plan_parse_list(s->arena, p->exec_cpu_affinity->final, &mask, &words),
			     "process.execCPUAffinity.final"));
		out->affinity = plan_add_items(b, mask, sizeof *mask, words);
		b->plan.flags |= PLAN_SCHEDULING;
	}
	if (l->personality) {
		out->personality = (uint32_t)l->personality->domain;
		b->plan.flags |= PLAN_SCHEDULING;
	}
	if (!l->memory_policy)
		return NULL;
	out->memory_mode = (uint32_t)l->memory_policy->mode;
	for (size_t i = 0; i < l->memory_policy->flags.count; i++)
		out->memory_mode |= (uint32_t)l->memory_policy->flags.items[i];
	TRY(err_wrap(plan_parse_list(s->arena, l->memory_policy->nodes ? l->memory_policy->nodes : "",
				     &mask, &words),
		     "linux.memoryPolicy.nodes"));
	out->memory_nodes = plan_add_items(b, mask, sizeof *mask, words);
	b->plan.flags |= PLAN_SCHEDULING;
	return NULL;
}

static bool apparmor_enabled(void)
{
	char answer = 'N';
	auto_close int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &answer, 1) == 1 && answer == 'Y';
}

static err *plan_labels(struct plan_builder *b, const struct oci_process *p)
{
	const char *apparmor = p->apparmor_profile && *p->apparmor_profile ? p->apparmor_profile : NULL;
	const char *selinux = p->selinux_label && *p->selinux_label ? p->selinux_label : NULL;

	if (apparmor && !apparmor_enabled())
		return err_new(ENOTSUP, "process.apparmorProfile: '%s': AppArmor is not enabled on this host",
			       apparmor);
	if (selinux && access("/sys/fs/selinux/enforce", F_OK) != 0)
		return err_new(ENOTSUP, "process.selinuxLabel: '%s': SELinux is not enabled on this host",
			       selinux);
	b->plan.process.apparmor = plan_add_text(b, apparmor);
	b->plan.process.selinux = plan_add_text(b, selinux);
	if (apparmor || selinux)
		b->plan.flags |= PLAN_LABELS;
	return NULL;
}

err *plan_process(struct plan_builder *b, const struct plan_source *s, const struct oci_process *p,
		  bool exec)
{
	struct plan_process *out = &b->plan.process;
	const char *keep = string_map_get(&s->config->annotations, ANNOTATION_KEEP_GROUPS);

	out->args = plan_add_texts(b, p->args.items, p->args.count);
	TRY(plan_env(b, s, p, exec));
	out->cwd = plan_add_text(b, p->cwd ? p->cwd : "/");
	out->uid = p->user.uid;
	out->gid = p->user.gid;
	out->groups = plan_add_items(b, p->user.additional_gids.items, sizeof(uint32_t),
				     p->user.additional_gids.count);
	out->keep_groups = str_equal(keep, "1");
	if (p->user.umask)
		out->umask = *p->user.umask;
	if (p->console_size) {
		out->rows = p->console_size->height;
		out->columns = p->console_size->width;
	}
	plan_capabilities(b, s, p);
	TRY(plan_rlimits(b, s, p));
	TRY(plan_placement(b, s, p, exec));
	TRY(plan_labels(b, p));
	b->plan.flags |= (p->terminal ? PLAN_TERMINAL : 0) |
			 (p->no_new_privileges ? PLAN_NO_NEW_PRIVS : 0);
	return NULL;
}
