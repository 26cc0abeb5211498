"""The labelling interface as Label Studio's XML, built from a project's settings."""

from collections.abc import Collection
from html import escape

from django.conf import settings as django_settings

from annotation_backend.labeling.masks.controls import (
    BOX_LABEL,
    COMPANION,
    EXTREME_LABEL,
    HINT,
    IMAGE,
    POINT_LABEL,
    SMART_BOX,
    SMART_POINT,
    START_OVER_LABEL,
    UNDO_LABEL,
    MaskFormat,
)
from datasets.image.mask import OEDEMA, TUMOUR

GUIDE_PATH = "/guide/"
"""The annotator's guide, on our service; no sign-in."""

_COLOURS = {TUMOUR: "#e8590c", OEDEMA: "#1098ad"}
_PROMPT_COLOUR, _EXTREME_COLOUR, _SESSION_COLOUR = "#1971c2", "#7048e8", "#868e96"
_HOTKEYS = {TUMOUR: 1, POINT_LABEL: 2, BOX_LABEL: 3, EXTREME_LABEL: 4, UNDO_LABEL: 5, START_OVER_LABEL: 6, OEDEMA: 7}
_TAGS = {MaskFormat.BRUSH: "BrushLabels", MaskFormat.BITMASK: "BitmaskLabels"}
_TOOLS = {MaskFormat.BRUSH: "brush-tool", MaskFormat.BITMASK: "bitmask-tool"}

_STYLE = """
    .chair { position: sticky; top: 0; z-index: 5; padding-bottom: 4px; }
    .chair { background: var(--color-neutral-background, #fff); }
    .chair .line { display: flex; gap: 14px; align-items: center; height: 52px; }
    .chair .line > * { flex: none; white-space: nowrap; }
    .chair .line p, .chair .lsf-text-area, .said [data-testid=textarea-regions] { margin: 0 !important; }
    .chair .line .said { flex: 1 1 0; min-width: 0; max-height: 52px; overflow-y: auto; white-space: normal; }
    .said * { font-size: 13px !important; line-height: 17px !important; }
    .said .lsf-row { margin: 0 !important; }
    .said [data-testid=htx-textbox-content] { padding: 5px 10px !important; min-height: 0 !important; }
    .said form, .said button, .said .ant-form { display: none; }
    .chair .controls { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: center; }
    .chair .lsf-labels { margin: 0 !important; }
    .chair .lsf-label { margin: 2px 6px 2px 0 !important; }
    .windows [class*="withPagination--"] { padding-top: 0; }
    .windows [class*="pagination--"] { position: absolute; top: -34px; left: auto; right: 0; width: auto; }
    .windows [class*="arrow-left-double"], .windows [class*="arrow-right-double"] { display: none; }
    [aria-label="rectangle-3-point-tool"] { display: none !important; }"""
"""The hint's line keeps its place while it is empty, so that no picture moves under a person's hand. A box drawn by
three points would be a turned one, which no model takes."""


def label_config(mask_format: MaskFormat, *, has_oedema: bool, kept: Collection[str] = (), foreign: str = "") -> str:
    """The labelling interface, as XML for Label Studio.

    Args:
        mask_format: The tool that annotators draw with.
        has_oedema: Whether they draw oedema as well.
        kept: Controls and labels that annotations of the project use though they are not offered any more: the other
            format's control, the oedema label. Label Studio refuses to lose them; shown in old annotations only.
        foreign: Controls that are not ours and are kept for the same reason, as `foreign_controls` writes them.
    """
    labels = [TUMOUR, *([OEDEMA] if has_oedema or OEDEMA in kept else [])]
    hidden = [] if has_oedema else [OEDEMA]
    other = MaskFormat.BITMASK if mask_format is MaskFormat.BRUSH else MaskFormat.BRUSH
    drawing = _mask_control(mask_format, labels, hidden=hidden)
    style = _STYLE
    if other.value in kept:
        drawing += _mask_control(other, labels, hidden=labels)
        style += f'\n    [aria-label="{_TOOLS[other]}"] {{ display: none !important; }}'
    return f"""<View>
  <Style>{style}
  </Style>
  <View className="chair">
    <View className="line">
      <Header size="5" value="$title" style="margin: 0"/>
      <Markdown><![CDATA[<a href="{guide_url()}" target="_blank" rel="noopener">How to</a>]]></Markdown>
      <View className="said">
        <TextArea name="{HINT}" toName="{IMAGE}" editable="false" maxSubmissions="1"/>
      </View>
    </View>
    <View className="controls">{drawing}
      <KeyPointLabels name="{SMART_POINT}" toName="{IMAGE}" smart="true" smartOnly="true" showInline="true">{_prompts()}
      </KeyPointLabels>
      <RectangleLabels name="{SMART_BOX}" toName="{IMAGE}" smart="true" smartOnly="true" showInline="true">
        {_label(BOX_LABEL, _PROMPT_COLOUR)}
      </RectangleLabels>
    </View>
    <Header size="6" value="$review_comment" style="margin: 0; color: #b42318"/>
  </View>
  <View style="display: flex; gap: 8px; width: 100%">
    <View style="flex: 1 1 50%; width: 50%">
      <Header size="6" value="$annotated_sequence"/>
      <Image name="{IMAGE}" value="$annotated" {_IMAGE}/>
    </View>
    <View className="windows" style="flex: 1 1 50%; width: 50%">
      <Header size="6" value="$companion_sequence"/>
      <Image name="{COMPANION}" valueList="$companions" {_IMAGE}/>
      <Header size="6" value="$windows" style="margin: 4px 0; font-size: 13px; font-weight: 400"/>
    </View>
  </View>{foreign}
</View>
"""


def guide_url() -> str:
    """Address of the annotator's guide, for a browser."""
    return escape(f"{django_settings.MASKLOOP_URL}{GUIDE_PATH}")


def instruction() -> str:
    """The guide in short, as HTML, which Label Studio shows behind its button for instructions."""
    return f"""<ol>
<li><b>Look</b> at the left picture. A mask that a model drew is there already. Is it right? Press Submit.</li>
<li><b>Brush</b> what is missing: key 1, then draw. To change a mask that is there, click its line under Regions first.
Eraser and size are in the tool bar. Press Esc before anything new.</li>
<li><b>Let a model draw</b>: switch on Auto-Annotation below and click the tool at the end of the tool bar. Then K and 2
for a point: Ctrl+click into the tumour, Ctrl+Alt+click for "not here". Or R and 3 for a box: draw it around the tumour.
Press the keys again before each prompt. The tick takes the mask, the cross refuses it.</li>
<li><b>Submit</b>. A picture without tumour: submit it empty.</li>
<li>A returned task shows the reviewer's comment above the pictures: correct it and press Update.</li>
</ol>
<p><a href="{guide_url()}" target="_blank" rel="noopener">How to, on one page with pictures</a></p>"""


_IMAGE = 'zoom="true" zoomControl="true" brightnessControl="true" contrastControl="true" smoothing="false"'


def _mask_control(mask_format: MaskFormat, labels: list[str], *, hidden: Collection[str]) -> str:
    tag = _TAGS[mask_format]
    lines = "".join(f"\n        {_label(name, _COLOURS[name], hidden=name in hidden)}" for name in labels)
    return f"""
      <{tag} name="{mask_format.value}" toName="{IMAGE}" smart="false" showInline="true">{lines}
      </{tag}>"""


def _prompts() -> str:
    colours = {
        POINT_LABEL: _PROMPT_COLOUR,
        EXTREME_LABEL: _EXTREME_COLOUR,
        UNDO_LABEL: _SESSION_COLOUR,
        START_OVER_LABEL: _SESSION_COLOUR,
    }
    return "".join(f"\n        {_label(name, colour)}" for name, colour in colours.items())


def _label(name: str, colour: str, *, hidden: bool = False) -> str:
    offered = 'visible="false"' if hidden else f'hotkey="{_HOTKEYS[name]}"'
    return f'<Label value="{name}" background="{colour}" {offered}/>'
