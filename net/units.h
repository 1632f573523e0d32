/* net/units.h: slices of the system's service manager, with what they may have.
 * Library: sd-bus (libsystemd), seen only in net/units.c. org.freedesktop.systemd1(5),
 * systemd.resource-control(5). */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"

struct unit_setting {
	const char *name; /* "MemoryMax": a property whose value is a number */
	uint64_t value;	  /* UINT64_MAX: no limit */
};

/* Start the slice, or change it if it runs; it is there when this returns. Settings last until it stops.
 * Slices above it are started as well, without settings: begin at the top. Any thread may call. Errors:
 * ENOTCONN there is no bus, ETIMEDOUT, ECANCELED the job's result, what the manager says. */
err *units_slice(const char *name, const struct unit_setting *settings, size_t count) MUST_CHECK;

/* Stop it, and everything in it: the caller has looked. One that does not run is fine. */
err *units_stop(const char *name) MUST_CHECK;
