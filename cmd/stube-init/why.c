/* cmd/stube-init/why.c: why the kernel refused to execute a program, from the first bytes of its file.
 * Ref: elf(5), execve(2). */
#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/stube-init/init.h"

/* The head of an executable file, and a NUL: the kernel itself looks at 256 bytes of a script. */
struct head {
	size_t len;
	union {
		char text[4097];
		Elf64_Ehdr elf;
		Elf32_Ehdr elf32;
	};
};

static bool is_elf(const struct head *h)
{
	return h->len >= sizeof h->elf32 && memcmp(h->text, ELFMAG, SELFMAG) == 0;
}

/* e_machine stands at the same place in both sizes, in the byte order of the file. */
static unsigned machine_of(const struct head *h)
{
	return h->text[EI_DATA] == ELFDATA2MSB ? be16toh(h->elf.e_machine) : le16toh(h->elf.e_machine);
}

static const char *machine_name(unsigned machine)
{
	static const struct {
		unsigned machine;
		const char *name;
	} known[] = {
		{ EM_386, "i386" },	 { EM_ARM, "arm" },	{ EM_X86_64, "x86_64" },
		{ EM_AARCH64, "arm64" }, { EM_RISCV, "riscv" }, { EM_PPC64, "ppc64" },
		{ EM_S390, "s390x" },	 { EM_MIPS, "mips" },	{ 258, "loongarch" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].machine == machine)
			return known[i].name;
	return "another machine";
}

/* "/lib/ld-linux.so.2" of the segment PT_INTERP; NULL when there is none in the head. */
static const char *elf_interpreter(const struct head *h)
{
	bool wide = h->text[EI_CLASS] == ELFCLASS64;
	uint64_t at = wide ? h->elf.e_phoff : h->elf32.e_phoff;
	unsigned count = wide ? h->elf.e_phnum : h->elf32.e_phnum;
	size_t size = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	for (unsigned i = 0; i < count && at <= h->len && size <= h->len - at; i++, at += size) {
		Elf64_Phdr p;
		Elf32_Phdr p32;

		memcpy(&p, h->text + at, wide ? sizeof p : sizeof p32);
		memcpy(&p32, h->text + at, sizeof p32);
		uint64_t offset = wide ? p.p_offset : p32.p_offset;
		if ((wide ? p.p_type : p32.p_type) == PT_INTERP && offset < h->len)
			return h->text + offset;
	}
	return NULL;
}

/* The word behind "#!"; the rest of the line is cut off. */
static const char *script_interpreter(struct head *h)
{
	if (h->len < 2 || h->text[0] != '#' || h->text[1] != '!')
		return NULL;
	char *word = h->text + 2 + strspn(h->text + 2, " \t");
	word[strcspn(word, " \t\n")] = '\0';
	return word;
}

static void explain_format(const struct head *h, struct str *out)
{
	struct utsname host = { 0 };

	if (!is_elf(h)) {
		str_add(out, h->len ? ": neither an ELF program nor a script that begins with #!"
				    : ": the file is empty");
		return;
	}
	(void)uname(&host);
	str_addf(out, ": a program for %s, this machine is %s", machine_name(machine_of(h)), host.machine);
}

/* Found, and yet not there: the file names an interpreter that is missing. */
static void explain_missing(struct head *h, struct str *out)
{
	const char *name = is_elf(h) ? elf_interpreter(h) : script_interpreter(h);

	if (name)
		str_addf(out, ": its interpreter \"%s\" is missing in the root", name);
}

void why_not_executed(const char *path, int code, struct str *out)
{
	struct head h = { 0 };
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, h.text, sizeof h.text - 1);

	/* Executable and not readable, or the filter is in place already: the code has to do. */
	if (n < 0)
		return;
	h.len = (size_t)n;
	if (code == ENOEXEC)
		explain_format(&h, out);
	else if (code == ENOENT)
		explain_missing(&h, out);
}
