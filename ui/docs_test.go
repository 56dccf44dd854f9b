package ui

import (
	"net/http"
	"strings"
	"testing"
)

// TestDetailsShowDocsAsText shows an author's Markdown as it was written, and none of it as HTML.
func TestDetailsShowDocsAsText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := newDAG("churn-model", "run_model")
	s.save(d)
	s.get(http.StatusOK, "/dags/churn-model/details").lacks(t, "Documentation")
	d = newDAG("churn-model", "run_model")
	d.DocMD = "# Churn\n\n| a | b |\n<script>alert(1)</script>\n[x](javascript:alert(2))\n"
	s.save(d)
	page := s.get(http.StatusOK, "/dags/churn-model/details")
	page.wants(t, "Documentation")
	want := "># Churn\n\n| a | b |\n&lt;script&gt;alert(1)&lt;/script&gt;\n[x](javascript:alert(2))\n</pre>"
	if !strings.Contains(page.source, want) {
		t.Errorf("the page lacks %q:\n%s", want, page.source)
	}
}
