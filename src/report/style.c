/*
 * style.c - the style sheet. Colours are Okabe and Ito's, told apart by colour-blind readers too:
 * blue for after, vermilion for before; nothing is said by colour alone.
 */
#include "report/internal.h"

static const char light[] =
    "--paper:#fff;--card:#fff;--ink:#1b2430;--soft:#5b6675;--rule:#d9dfe7;--wash:#f4f6f9;"
    "--before:#c2500a;--after:#0067a8;--good:#00664a;--bad:#a83200;--open:#6b5300;"
    "--good-wash:#e6f4ef;--bad-wash:#fceee8;--open-wash:#faf3dc;--beyond:#0067a80d;"
    "--kept:#5b6675;--blended:#a8780a;--stretched:#0067a8;"
    "--h0:#f1f4f8;--h1:#d6e4f0;--h2:#a9cbe3;--h3:#6ea9d0;--h4:#2f82b8;--h5:#005b96;";

static const char dark[] =
    "--paper:#12171e;--card:#1a212b;--ink:#e6ebf1;--soft:#9aa7b6;--rule:#313c4a;--wash:#222b37;"
    "--before:#f0a05a;--after:#6fbcf0;--good:#5fd0a5;--bad:#ff9d78;--open:#e8cd6b;"
    "--good-wash:#16302a;--bad-wash:#37231c;--open-wash:#332d19;--beyond:#6fbcf012;"
    "--kept:#9aa7b6;--blended:#e8bb5a;--stretched:#6fbcf0;"
    "--h0:#222b37;--h1:#1d3a52;--h2:#1f4f74;--h3:#2b6c9e;--h4:#4b96cb;--h5:#8cc9f2;";

static const char page[] =
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "main{max-width:1080px;margin:0 auto;padding:28px 20px 48px}"
    "header{margin-bottom:22px}"
    ".brand{margin:0;color:var(--soft);font-size:13px;letter-spacing:.14em;"
    "text-transform:uppercase}"
    "h1{margin:2px 0 10px;font-size:clamp(25px,5vw,36px);line-height:1.15;"
    "overflow-wrap:anywhere}"
    "h2{margin:0 0 10px;font-size:20px;line-height:1.3}"
    "h3{margin:14px 0 6px;font-size:15px;color:var(--soft);font-weight:600}"
    "h4{margin:10px 0 4px;font-size:14px}p{margin:0 0 12px}.lead{font-size:17px;max-width:46em}"
    "section{background:var(--card);border:1px solid var(--rule);border-radius:10px;"
    "padding:20px 22px;margin:0 0 18px}"
    ".verdict{border-left-width:6px}.verdict h2{font-size:22px;margin:0}"
    ".verdict p{margin:12px 0 0}.verdict ul{margin:4px 0 0}"
    ".sign{display:inline-block;min-width:1.1em}"
    ".verdict.good{background:var(--good-wash);border-color:var(--good)}"
    ".verdict.bad{background:var(--bad-wash);border-color:var(--bad)}"
    ".verdict.open{background:var(--open-wash);border-color:var(--open)}"
    ".good>h2,.status.good{color:var(--good)}.bad>h2,.status.bad{color:var(--bad)}"
    ".open>h2,.status.open{color:var(--open)}.status{font-weight:600;white-space:nowrap}"
    "ul{padding-left:1.2em}li{margin:3px 0}.notes{margin:0}"
    ".severity{font-weight:600;text-transform:capitalize}"
    ".pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:8px 28px;"
    "align-items:start}"
    "figure{margin:0}figcaption{font-size:15px;color:var(--soft);font-weight:600;"
    "margin:14px 0 6px}"
    ".scroll{overflow-x:auto;margin-bottom:12px}table{border-collapse:collapse;width:100%;font-"
    "size:14.5px}"
    "th,td{text-align:left;vertical-align:top;padding:6px 10px 6px 0;"
    "border-bottom:1px solid var(--rule)}"
    "th{color:var(--soft);font-weight:600;white-space:nowrap}"
    ".n{text-align:right;padding:6px 0 6px 12px;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}"
    "td small{display:block;line-height:1.3}.words "
    "small{white-space:nowrap}small{color:var(--soft)}"
    "code,pre{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;"
    "font-size:.88em}"
    ".hash{overflow-wrap:anywhere;font-size:12.5px}td .hash{display:inline-block;min-width:16em}"
    "pre{background:var(--wash);border-radius:6px;padding:10px 12px;margin:0 0 6px;"
    "white-space:pre-wrap;overflow-wrap:anywhere}"
    "details{margin-top:8px}summary{cursor:pointer;color:var(--soft);font-size:14px}"
    "footer{color:var(--soft);font-size:13px}"
    "@media(max-width:760px){.pair{grid-template-columns:minmax(0,1fr)}"
    "main{padding:18px 10px 32px}section{padding:16px 14px}"
    ".words thead{display:none}.words tr{display:block;padding:8px 0;"
    "border-bottom:1px solid var(--rule)}"
    ".words td{display:block;border:0;padding:1px 0}.words td:empty{display:none}}";

static const char pictures[] =
    "svg{display:block;width:100%;height:auto;overflow:visible}"
    "svg text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "fill:var(--soft);font-variant-numeric:tabular-nums}"
    "svg .mark{fill:var(--ink)}.grid{stroke:var(--rule);stroke-width:1}"
    ".window{stroke:var(--ink);stroke-width:1.4;stroke-dasharray:2 4}.beyond{fill:var(--beyond)}"
    ".line{fill:none;stroke-width:2.4;stroke-linejoin:round}"
    ".line.before{stroke:var(--before);stroke-dasharray:7 4}.line.after{stroke:var(--after)}"
    ".dot.before{fill:var(--card);stroke:var(--before);stroke-width:2}"
    ".dot.after{fill:var(--after)}"
    ".legend{font-size:14px;margin:2px 0 0 52px;color:var(--soft)}"
    ".key{display:inline-block;width:26px;border-top:3px solid;margin:0 6px 4px 0}"
    ".key.before{border-color:var(--before);border-top-style:dashed}"
    ".key.after{border-color:var(--after);margin-left:18px}"
    ".h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}"
    ".h4{fill:var(--h4)}.h5{fill:var(--h5)}.none0{fill:none;stroke:var(--rule)}"
    "svg .inh0,svg .inh1,svg .inh2{fill:var(--ink)}"
    "svg .inh3,svg .inh4,svg .inh5{fill:#fff}"
    ".zero{stroke:var(--ink);stroke-width:1.2}.whisker{stroke:var(--after);stroke-width:1.8}"
    ".stem{stroke:var(--rule);stroke-width:1.5}"
    ".hollow{fill:var(--card);stroke:var(--soft);stroke-width:1}"
    ".kept{fill:var(--kept)}.blended{fill:var(--blended)}.stretched{fill:var(--stretched)}"
    ".kinds{list-style:none;padding:0}.swatch{display:inline-block;width:10px;height:10px;"
    "margin-right:8px}"
    ".swatch.kept{background:var(--kept);border-radius:50%}"
    ".swatch.blended{background:var(--blended);transform:rotate(45deg) scale(.85)}"
    ".swatch.stretched{background:var(--stretched)}.swatch.box{border-radius:0;transform:none}"
    "@media(max-width:520px){svg text{font-size:16px}table{font-size:13px}th{white-space:normal;"
    "vertical-align:bottom}.n{padding-left:6px}}";

static const char print[] =
    "main{max-width:none;padding:0}section{break-inside:avoid;border-color:#ccc}"
    "body,table,.lead,h3,figcaption{font-size:12px}h2,.verdict h2{font-size:15px}"
    "h1{font-size:22px}details:not([open])>*{display:none}"
    ".scroll{overflow:visible}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}";

void rw_report_style(rw_buf *out) {
    rw_buf_text(out, "<style>\n:root{color-scheme:light dark;");
    rw_buf_text(out, light);
    rw_buf_text(out, "}\n@media screen and (prefers-color-scheme:dark){:root{");
    rw_buf_text(out, dark);
    rw_buf_text(out, "}}\n");
    rw_buf_text(out, page);
    rw_buf_text(out, "\n");
    rw_buf_text(out, pictures);
    rw_buf_text(out, "\n@media screen and (prefers-color-scheme:dark){"
                     "svg .inh4,svg .inh5{fill:#0b1a28}}\n@media print{");
    rw_buf_text(out, print);
    rw_buf_text(out, "}\n</style>\n");
}
