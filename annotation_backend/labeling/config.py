"""The labelling interface: which controls an annotator sees."""

from datasets.mask import TUMOUR

IMAGE = "image"
COMPANION = "companion"
BRUSH = "brush"
SMART_POINT = "smart_point"
SMART_BOX = "smart_box"

POINT_LABEL = "Tumour point"
BOX_LABEL = "Tumour box"

_COLOUR = "#e8590c"
_PROMPT_COLOUR = "#1971c2"

LABEL_CONFIG = f"""<View>
  <Style>
    .maskloop-bar {{ position: sticky; top: 0; z-index: 5; background: var(--color-neutral-background, #fff); }}
    .maskloop-bar .lsf-labels {{ margin: 0; }}
    .maskloop-pair {{ display: flex; gap: 8px; }}
    .maskloop-pair > div {{ flex: 1 1 50%; min-width: 0; }}
  </Style>
  <View className="maskloop-bar">
    <Header size="5" value="$title"/>
    <BrushLabels name="{BRUSH}" toName="{IMAGE}" smart="false">
      <Label value="{TUMOUR}" background="{_COLOUR}" hotkey="1"/>
    </BrushLabels>
    <KeyPointLabels name="{SMART_POINT}" toName="{IMAGE}" smart="true" smartOnly="true">
      <Label value="{POINT_LABEL}" background="{_PROMPT_COLOUR}" showInline="true" hotkey="2"/>
    </KeyPointLabels>
    <RectangleLabels name="{SMART_BOX}" toName="{IMAGE}" smart="true" smartOnly="true">
      <Label value="{BOX_LABEL}" background="{_PROMPT_COLOUR}" showInline="true" hotkey="3"/>
    </RectangleLabels>
  </View>
  <View className="maskloop-pair">
    <View>
      <Header size="6" value="$annotated_sequence"/>
      <Image name="{IMAGE}" value="$annotated" zoom="true" zoomControl="true" brightnessControl="true"
             contrastControl="true" smoothing="false"/>
    </View>
    <View>
      <Header size="6" value="$companion_sequence"/>
      <Image name="{COMPANION}" value="$companion" zoom="true" zoomControl="true" brightnessControl="true"
             contrastControl="true" smoothing="false"/>
    </View>
  </View>
</View>
"""
