plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "samesight.ui"
    compileSdk = libs.versions.sdk.compile.get().toInt()
    defaultConfig {
        minSdk = libs.versions.sdk.min.get().toInt()
    }
    buildFeatures {
        compose = true
    }
    sourceSets {
        // Rendered and compared by Maven (pom.xml), on Compose for desktop.
        getByName("test").kotlin.setSrcDirs(emptyList<String>())
    }
}

kotlin {
    jvmToolchain(17)
    compilerOptions {
        allWarningsAsErrors = true
    }
}

dependencies {
    api(project(":engine"))
    api(platform(libs.compose.bom))
    api(libs.compose.material3)
}
