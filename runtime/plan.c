/* runtime/plan.c: the reader's side of the start plan: every offset is proved once. */
#include "runtime/plan.h"

#include <linux/filter.h>

struct checker {
	const struct plan *plan;
	size_t size, fd_count;
};

/* One list of struct plan: its items, and what else is to be proved about each. */
struct list_rule {
	const char *name;
	size_t offset; /* of the struct plan_list */
	size_t item_size;
	err *(*check)(const struct checker *c, const void *item);
};

static err *check_text(const struct checker *c, plan_text t)
{
	return t < c->size ? NULL : err_new(EINVAL, "string at %u of %zu", t, c->size);
}

static err *check_fd(const struct checker *c, uint32_t fd)
{
	return fd < c->fd_count || fd == PLAN_NO_FD ? NULL :
						      err_new(EINVAL, "descriptor %u of %zu", fd, c->fd_count);
}

static err *check_bounds(const struct checker *c, struct plan_list list, size_t item_size)
{
	if (list.count == 0)
		return NULL;
	if (list.at % 8 || list.at < sizeof(struct plan) || list.at > c->size ||
	    list.count > (c->size - list.at) / item_size)
		return err_new(EINVAL, "list of %u at %u of %zu", list.count, list.at, c->size);
	return NULL;
}

static err *check_list_text(const struct checker *c, const void *item)
{
	return check_text(c, *(const plan_text *)item);
}

static err *check_texts(const struct checker *c, struct plan_list list)
{
	TRY(check_bounds(c, list, sizeof(plan_text)));
	const plan_text *items = plan_items(c->plan, list);
	for (uint32_t i = 0; i < list.count; i++)
		TRY(check_text(c, items[i]));
	return NULL;
}

static err *check_mount(const struct checker *c, const void *item)
{
	const struct plan_mount *m = item;

	TRY(check_text(c, m->destination));
	TRY(check_text(c, m->source));
	TRY(check_text(c, m->type));
	TRY(check_text(c, m->label));
	if (!m->destination || !m->label || m->kind > PLAN_MOUNT_REMOVE ||
	    (m->kind == PLAN_MOUNT_FS && !m->type) ||
	    (m->kind == PLAN_MOUNT_LINK && !m->source) ||
	    (m->kind == PLAN_MOUNT_BIND && m->fd == PLAN_NO_FD && !m->source))
		return err_new(EINVAL, "mount without what it needs");
	TRY(check_fd(c, m->fd));
	return check_texts(c, m->options);
}

static err *check_device(const struct checker *c, const void *item)
{
	const struct plan_device *d = item;

	TRY(check_text(c, d->label));
	if (!d->path || !d->label)
		return err_new(EINVAL, "device without path");
	return check_text(c, d->path);
}

static err *check_pair(const struct checker *c, const void *item)
{
	const struct plan_pair *p = item;

	TRY(check_text(c, p->key));
	if (!p->key || !p->value)
		return err_new(EINVAL, "pair without key or value");
	return check_text(c, p->value);
}

static err *check_hook(const struct checker *c, const void *item)
{
	const struct plan_hook *h = item;

	TRY(check_text(c, h->path));
	if (!h->path)
		return err_new(EINVAL, "hook without path");
	TRY(check_texts(c, h->args));
	return check_texts(c, h->env);
}

static err *check_landlock_path(const struct checker *c, const void *item)
{
	const struct plan_landlock_path *p = item;

	TRY(check_text(c, p->label));
	if (!p->path || !p->label)
		return err_new(EINVAL, "path without text");
	return check_text(c, p->path);
}

#define LIST_RULE(member, type, check) { #member, offsetof(struct plan, member), sizeof(type), check }
/* clang-format off */
static const struct list_rule list_rules[] = {
	LIST_RULE(mounts,               struct plan_mount,     check_mount),
	LIST_RULE(devices,              struct plan_device,    check_device),
	LIST_RULE(masked,               plan_text,             check_list_text),
	LIST_RULE(readonly,             plan_text,             check_list_text),
	LIST_RULE(sysctls,              struct plan_pair,      check_pair),
	LIST_RULE(hooks_container,      struct plan_hook,      check_hook),
	LIST_RULE(hooks_start,          struct plan_hook,      check_hook),
	LIST_RULE(process.args,         plan_text,             check_list_text),
	LIST_RULE(process.env,          plan_text,             check_list_text),
	LIST_RULE(process.groups,       uint32_t,              NULL),
	LIST_RULE(process.rlimits,      struct plan_rlimit,    NULL),
	LIST_RULE(process.memory_nodes, uint64_t,              NULL),
	LIST_RULE(process.scheduler,    struct plan_scheduler, NULL),
	LIST_RULE(process.affinity,     uint64_t,              NULL),
	LIST_RULE(seccomp,              struct sock_filter,    NULL),
	LIST_RULE(landlock.paths,       struct plan_landlock_path, check_landlock_path),
	LIST_RULE(landlock.ports,       struct plan_landlock_port, NULL),
};

static const size_t text_offsets[] = {
	offsetof(struct plan, id), offsetof(struct plan, root_path), offsetof(struct plan, hostname),
	offsetof(struct plan, mount_label), offsetof(struct plan, bundle),
	offsetof(struct plan, domainname), offsetof(struct plan, state_creating),
	offsetof(struct plan, state_created), offsetof(struct plan, process.cwd),
	offsetof(struct plan, process.apparmor), offsetof(struct plan, process.selinux),
};

static const size_t fd_offsets[] = {
	offsetof(struct plan, fd_root), offsetof(struct plan, fd_proc),
	offsetof(struct plan, fd_console), offsetof(struct plan, fd_listen),
	offsetof(struct plan, fd_lock), offsetof(struct plan, fd_hooks_out),
	offsetof(struct plan, fd_hooks_errors),
};
/* clang-format on */

static uint32_t word_at(const struct plan *p, size_t offset)
{
	return *(const uint32_t *)((const char *)p + offset);
}

static err *check_list(const struct checker *c, const struct list_rule *rule)
{
	const struct plan_list *list = (const void *)((const char *)c->plan + rule->offset);

	TRY(check_bounds(c, *list, rule->item_size));
	const char *item = plan_items(c->plan, *list);
	for (uint32_t i = 0; rule->check && i < list->count; i++, item += rule->item_size)
		TRY(err_wrap(rule->check(c, item), "item %u", i));
	return NULL;
}

static err *check_all(const struct checker *c)
{
	const struct plan *p = c->plan;

	for (size_t i = 0; i < ARRAY_LEN(text_offsets); i++)
		TRY(check_text(c, word_at(p, text_offsets[i])));
	for (size_t i = 0; i < ARRAY_LEN(fd_offsets); i++)
		TRY(check_fd(c, word_at(p, fd_offsets[i])));
	for (size_t i = 0; i < ARRAY_LEN(list_rules); i++)
		TRY(err_wrap(check_list(c, &list_rules[i]), "%s", list_rules[i].name));
	if (!p->id || !p->process.cwd || p->process.args.count == 0)
		return err_new(EINVAL, "no id, working directory or program");
	if (p->seccomp.count > BPF_MAXINSNS)
		return err_new(EINVAL, "seccomp filter of %u instructions", p->seccomp.count);
	return NULL;
}

err *plan_check(const void *bytes, size_t len, size_t fd_count)
{
	const struct plan *p = bytes;
	struct checker c = { p, len, fd_count };

	if (len <= sizeof *p || len > PLAN_SIZE_MAX || (uintptr_t)bytes % 8)
		return err_new(EINVAL, "plan: %zu bytes", len);
	if (p->magic != PLAN_MAGIC || p->version != PLAN_VERSION || p->size != len)
		return err_new(EINVAL, "plan: of another version, or cut");
	if (((const char *)bytes)[len - 1] != '\0')
		return err_new(EINVAL, "plan: does not end in NUL");
	return err_wrap(check_all(&c), "plan");
}

char **plan_strings(const struct plan *p, struct plan_list list)
{
	const plan_text *items = plan_items(p, list);
	char **out = calloc((size_t)list.count + 1, sizeof *out);

	for (uint32_t i = 0; out && i < list.count; i++)
		out[i] = (char *)(items[i] ? plan_string(p, items[i]) : "");
	return out;
}
