"""Faces: find and cut them, turn them into features, and turn features back into a canonical face; all frozen."""

from s2f_lib.faces.attributes import AttributeNet, label_photo
from s2f_lib.faces.decoder import Decoded, FaceDecoder, decode, texture_error
from s2f_lib.faces.detection import Box, Choice, aligned, choose_face, crop, detect, landmarks68
from s2f_lib.faces.recogniser import FaceFeatures, FaceRecogniser, extract, to_pictures, to_tensor
