/* examples/portal/assets.c: what is the same for everybody: style, icon, the accessibility statement. */
#include "examples/portal/pages.h"

/* The assembler reads the file, so that it stays a style sheet that an editor knows. */
__asm__(".section .rodata\n"
	"style_css: .incbin \"examples/portal/style.css\"\n"
	"style_css_end: .byte 0\n"
	".previous\n");
extern const char style_css[], style_css_end[];

err *get_style(const struct http_request *r UNUSED, struct http_response *out)
{
	out->type = "text/css; charset=utf-8";
	strv_add(&out->headers, "Cache-Control: public, max-age=600");
	str_add_bytes(&out->body, style_css, (size_t)(style_css_end - style_css));
	return NULL;
}

err *get_icon(const struct http_request *r UNUSED, struct http_response *out)
{
	out->type = "image/svg+xml";
	strv_add(&out->headers, "Cache-Control: public, max-age=86400");
	str_add(&out->body, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\">"
			    "<rect width=\"24\" height=\"24\" rx=\"5\" fill=\"#0b5394\"/>"
			    "<path d=\"M5 11l7-5 7 5M7 11v6m10-6v6M10.5 17v-4h3v4M5 18.5h14\" fill=\"none\""
			    " stroke=\"#fff\" stroke-width=\"1.6\" stroke-linecap=\"round\" "
			    "stroke-linejoin=\"round\"/></svg>");
	return NULL;
}

err *get_health(const struct http_request *r UNUSED, struct http_response *out)
{
	str_add(&out->body, "{\"status\":\"ok\"}");
	return NULL;
}

/* Section 12b BGG and BITV 2.0 ask public bodies for such a statement. */
err *get_accessibility(const struct http_request *r, struct http_response *out)
{
	struct page p;

	TRY(page_begin(&p, r, out));
	page_open(&p, say(&p, "Barrierefreiheit", "Accessibility"));
	html_add(p.html, "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n<ul>\n",
		 say(&p, "Erklärung zur Barrierefreiheit", "Accessibility statement"),
		 say(&p,
		     "Alle sollen dieses Portal benutzen können. Es richtet sich nach WCAG 2.2, Stufe AA, "
		     "und der BITV 2.0.",
		     "Everybody should be able to use this portal. It follows WCAG 2.2, level AA, and BITV "
		     "2.0."));
	html_add(p.html, "<li>%s</li>\n<li>%s</li>\n<li>%s</li>\n<li>%s</li>\n</ul>\n",
		 say(&p, "Alles geht mit der Tastatur, ohne JavaScript und mit einem Screenreader.",
		     "Everything works with the keyboard, without JavaScript and with a screen reader."),
		 say(&p,
		     "Farben haben genug Kontrast, auch im dunklen Modus; keine Auskunft steckt nur in der "
		     "Farbe.",
		     "Colours have enough contrast, in dark mode too; no information is given by colour "
		     "alone."),
		 say(&p,
		     "Die Schrift lässt sich auf 200 Prozent vergrößern, und Seiten passen auf ein Telefon.",
		     "Text can be enlarged to 200 percent, and pages fit on a phone."),
		 say(&p, "Passwörter lassen sich einfügen, und Fehler stehen bei ihrem Feld.",
		     "Passwords can be pasted, and problems stand beside their field."));
	html_add(p.html, "<h2>%s</h2>\n<p>%s</p>\n", say(&p, "Stand", "State"),
		 say(&p,
		     "Geprüft durch Selbstbewertung, nicht durch eine Prüfstelle. Texte in Leichter Sprache "
		     "und in "
		     "Gebärdensprache fehlen.",
		     "Checked by self-assessment, not by a test body. Texts in easy language and in sign "
		     "language are "
		     "missing."));
	page_close(&p);
	return NULL;
}
