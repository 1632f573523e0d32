/* cmd/stube-init/musl/spawn.h: what musl 1.2.3 lacks of <spawn.h>. */
#pragma once
#include_next <spawn.h>

/* Nothing to do here: every descriptor of stube-init is close-on-exec until its own last exec. */
static inline int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from)
{
	(void)actions;
	(void)from;
	return 0;
}
