"""Text-to-image pipelines of every family: real classes, tiny sizes, untrained weights."""

import json

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from small_autoencoders import BLOCKS
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

WIDTH, TOKENS = 16, 16
# as Stable Diffusion's scheduler says: latents are not clipped
PUBLISHED = {"beta_schedule": "scaled_linear", "clip_sample": False}
CHARACTERS = [chr(c) for c in range(97, 123)]
VOCABULARY = {
    token: index
    for index, token in enumerate(
        ["<|startoftext|>", "<|endoftext|>", *CHARACTERS, *(f"{c}</w>" for c in CHARACTERS)]
    )
}


def _clip(folder, projection=False):
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS
    )
    config = CLIPTextConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        projection_dim=WIDTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    return tokenizer, kind(config).eval()


def _t5(width):
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2, **{c: i + 3 for i, c in enumerate(CHARACTERS)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    config = T5Config(
        vocab_size=len(vocabulary), d_model=width, d_kv=8, d_ff=width, num_layers=1, num_heads=2
    )
    return tokenizer, T5EncoderModel(config).eval()


def _unet(**changes):
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 16),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **changes,
    )


def _vae():
    return AutoencoderKL(latent_channels=4, scaling_factor=0.5, **BLOCKS)


def stable_diffusion(folder):
    tokenizer, encoder = _clip(folder / "made")
    return StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=_unet(),
        scheduler=DDIMScheduler(**PUBLISHED, prediction_type="v_prediction"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_xl(folder):
    tokenizer, encoder = _clip(folder / "made")
    tokenizer_2, encoder_2 = _clip(folder / "made 2", projection=True)
    unet = _unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=WIDTH + 6 * 8,
    )
    unet.register_to_config(cross_attention_dim=2 * WIDTH)
    unet = UNet2DConditionModel.from_config(unet.config)
    return StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=encoder,
        text_encoder_2=encoder_2,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=unet,
        scheduler=DDIMScheduler(**PUBLISHED),
    )


def stable_diffusion_3(folder):
    tokenizer, encoder = _clip(folder / "made", projection=True)
    tokenizer_2, encoder_2 = _clip(folder / "made 2", projection=True)
    tokenizer_3, encoder_3 = _t5(2 * WIDTH)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=2 * WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=8,
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        text_encoder_2=encoder_2,
        tokenizer_2=tokenizer_2,
        text_encoder_3=encoder_3,
        tokenizer_3=tokenizer_3,
    )


def flux(folder):
    tokenizer, encoder = _clip(folder / "made")
    tokenizer_2, encoder_2 = _t5(WIDTH)
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_vae(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        text_encoder_2=encoder_2,
        tokenizer_2=tokenizer_2,
        transformer=transformer,
    )


PIPELINES = {
    "stable_diffusion": stable_diffusion,
    "stable_diffusion_xl": stable_diffusion_xl,
    "stable_diffusion_3": stable_diffusion_3,
    "flux": flux,
}


def write_pipeline(name, folder):
    """Write a pipeline as it is published, and return it."""
    torch.manual_seed(0)
    pipeline = PIPELINES[name](folder.with_name(f"{folder.name} made"))
    pipeline.save_pretrained(folder)
    return pipeline
